/** Headers of a message that passes through a node (RFC 9110, section 7.6.1). */
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';

/** Says on a forwarded request's answer that this node isn't (or no longer) master: ask the next one. */
export const NOT_MASTER_HEADER = 'fsched-not-master';

const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** All headers but those meant for one hop only and those named in `drop`; repeated ones are kept apart. */
export function endToEndHeaders(message: IncomingMessage, drop: readonly string[]): OutgoingHttpHeaders {
  const named = (message.headers.connection ?? '').toLowerCase().split(/\s*,\s*/);
  const skipped = new Set([...hopByHop, ...named, ...drop]);
  const kept: Record<string, string[]> = {};
  for (let at = 0; at + 1 < message.rawHeaders.length; at += 2) {
    const name = (message.rawHeaders[at] as string).toLowerCase();
    if (skipped.has(name)) continue;
    kept[name] ??= [];
    kept[name].push(message.rawHeaders[at + 1] as string);
  }
  // Node refuses a list where one value must stand, as for content-length.
  return Object.fromEntries(
    Object.entries(kept).map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  );
}

export const hasBody = (message: IncomingMessage): boolean =>
  message.headers['transfer-encoding'] !== undefined || Number(message.headers['content-length'] ?? 0) > 0;

/** A URL as it may be logged: whatever somebody took for the place of a token is left out. */
export const loggable = (url: string): string =>
  url.replace(/fs[aj]_\w+/g, '…').replace(/([?&][^=&]*(?:token|secret|authorization)[^=&]*=)[^&]*/gi, '$1…');
