/** What people write to name a node that they can reach, as a multiaddr. */
import { isIPv4, isIPv6 } from 'node:net';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';

const DEFAULT_MESH_PORT = 8300;

const DNS_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/i;

/** HOST, HOST:PORT (IPv4, [IPv6] or a DNS name) or a multiaddr, with or without /p2p. The failure is a sentence. */
export function parseTarget(target: string): Outcome<Multiaddr, string> {
  const text = target.trim();
  if (text.startsWith('/')) return parseMultiaddr(text);
  const { host, port } = splitHostPort(text);
  const number = port === null ? DEFAULT_MESH_PORT : Number(port);
  const kind = hostKind(host);
  if (kind === null || !Number.isInteger(number) || number < 1 || number > 65_535 || port === '') {
    return fail(`"${target}" names no node: write HOST, HOST:PORT, [IPv6]:PORT or a multiaddr`);
  }
  return succeed(multiaddr(`/${kind}/${host}/tcp/${number}`));
}

function parseMultiaddr(text: string): Outcome<Multiaddr, string> {
  try {
    const parsed = multiaddr(text);
    if (parsed.getComponents().some(({ name }) => name === 'tcp')) return succeed(parsed);
    return fail(`"${text}" has no /tcp part: write for example /ip4/192.0.2.1/tcp/${DEFAULT_MESH_PORT}`);
  } catch {
    return fail(`"${text}" is no multiaddr: write for example /ip4/192.0.2.1/tcp/${DEFAULT_MESH_PORT}`);
  }
}

function splitHostPort(text: string): { readonly host: string; readonly port: string | null } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text);
  if (bracketed !== null) {
    const host = bracketed[1] ?? '';
    return { host: isIPv6(host) ? host : '', port: bracketed[2] ?? null };
  }
  // More than one colon and no brackets: a bare IPv6 address.
  if (isIPv6(text)) return { host: text, port: null };
  const colon = text.lastIndexOf(':');
  return colon === -1
    ? { host: text, port: null }
    : { host: text.slice(0, colon), port: text.slice(colon + 1) };
}

function hostKind(host: string): 'ip4' | 'ip6' | 'dns' | null {
  if (isIPv4(host)) return 'ip4';
  if (isIPv6(host)) return 'ip6';
  // Four numbers are an address that was mistyped, never a name.
  return DNS_NAME.test(host) && !/^[\d.]+$/.test(host) ? 'dns' : null;
}
