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
  const named = (message.headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  const skipped = new Set([...hopByHop, ...named, ...drop]);
  // A map: `constructor` and `__proto__` are names of headers like any other.
  const kept = new Map<string, string[]>();
  for (let at = 0; at + 1 < message.rawHeaders.length; at += 2) {
    const name = (message.rawHeaders[at] as string).toLowerCase();
    if (skipped.has(name)) continue;
    const values = kept.get(name) ?? [];
    values.push(message.rawHeaders[at + 1] as string);
    kept.set(name, values);
  }
  // Node refuses a list where one value must stand, as for content-length.
  return Object.fromEntries(
    [...kept].map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  );
}

export const hasBody = (message: IncomingMessage): boolean =>
  message.headers['transfer-encoding'] !== undefined || Number(message.headers['content-length'] ?? 0) > 0;

const TELLING = ['token', 'secret', 'authorization'];

/**
 * A URL as it may be logged: whatever somebody took for the place of a token is left out. Strangers choose it, so the
 * time that this takes grows with its length and no faster.
 */
export function loggable(url: string): string {
  const query = url.indexOf('?') + 1;
  const shown =
    query === 0 ? url : url.slice(0, query) + url.slice(query).split('&').map(withoutSecret).join('&');
  return shown.replace(/fs[aj]_\w+/g, '…');
}

function withoutSecret(parameter: string): string {
  const value = parameter.indexOf('=') + 1;
  const name = parameter.slice(0, value).toLowerCase();
  return TELLING.some((word) => name.includes(word)) ? `${parameter.slice(0, value)}…` : parameter;
}
