/** Addresses that people write: where to listen, whom to dial, and which of them stay on this machine. */
import { BlockList, isIP } from 'node:net';
import type { Multiaddr } from '@multiformats/multiaddr';
import { fail, type Outcome, succeed } from '../protocols/schema/outcome.ts';

export const DEFAULT_MESH_PORT = 8300;

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

const HOST_NAME = /^(?!-)[\w-]{1,63}(?<!-)(\.(?!-)[\w-]{1,63}(?<!-))*\.?$/;

/** An IP address or a name. A number with dots is meant to be an address, so 300.1.1.1 is no host name. */
export const isHost = (host: string) => isIP(host) !== 0 || (HOST_NAME.test(host) && !/^[0-9.]+$/.test(host));

/** Reads `127.0.0.1:8200`, `example.org:8200` or `[::1]:8200`; the host comes without brackets. */
export function parseHostPort(text: string): Outcome<HostPort, string> {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:[\]]*)):([0-9]{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? '';
  if (bracketed === undefined ? !isHost(host) : isIP(host) !== 6) {
    return fail(`write HOST:PORT such as 127.0.0.1:8200 or [::1]:8200, not ${JSON.stringify(text)}`);
  }
  const port = Number(digits);
  return port <= 65_535 ? succeed({ host, port }) : fail(`write a port from 0 to 65535, not ${digits}`);
}

export const formatHostPort = ({ host, port }: HostPort): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

export const unbracket = (host: string): string => host.replace(/^\[(.*)\]$/, '$1');

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether only programs on this machine can reach `host`: 127.0.0.0/8, ::1 (with or without brackets), localhost. */
export function isLoopback(host: string): boolean {
  const bare = unbracket(host).toLowerCase();
  const version = isIP(bare);
  return version === 0 ? bare === 'localhost' : loopback.check(bare, version === 4 ? 'ipv4' : 'ipv6');
}

/** Of the eight groups of an IPv6 address, those that one machine often has to itself. */
const PREFIX_GROUPS = 4;

/** What a caller is counted by: an IPv4 address, or the /64 of an IPv6 address. One that IPv6 maps is an IPv4 address. */
export function networkOf(address: string): string {
  const plain = address.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '');
  if (isIP(plain) !== 6) return plain;
  const [groups = [], rest = []] = plain
    .split('::')
    .map((part) => part.split(':').filter((each) => each !== ''));
  while (groups.length + rest.length < 8) groups.push('0');
  return `${[...groups, ...rest].slice(0, PREFIX_GROUPS).join(':')}::/64`;
}

/** The package takes a while to load, so only those wait for it who have an address to read. Null: it is none. */
async function parseMultiaddr(text: string): Promise<Multiaddr | null> {
  const { multiaddr } = await import('@multiformats/multiaddr');
  try {
    return multiaddr(text);
  } catch {
    return null;
  }
}

const TCP_ADDRESS = /^(?:\/ip6zone\/[\w.-]+)?\/(ip4|ip6|dns|dns4|dns6)\/([^/]+)\/tcp\/([0-9]{1,5})$/;

/** Whether `text` is a multiaddr of TCP without /p2p, as members tell theirs to each other. */
export function isDialable(text: string): boolean {
  const [, kind, host = '', port = ''] = TCP_ADDRESS.exec(text) ?? [];
  if (kind === undefined || Number(port) < 1 || Number(port) > 65_535) return false;
  return kind.startsWith('dns') ? isHost(host) : isIP(host) === Number(kind.at(-1));
}

/** Reads where to listen: a multiaddr, or HOST:PORT with an IP address or `localhost`. Gives a multiaddr. */
export async function parseListen(text: string): Promise<Outcome<string, string>> {
  if (text.startsWith('/')) {
    const components = (await parseMultiaddr(text))?.getComponents();
    return components?.[1]?.name === 'tcp'
      ? succeed(text)
      : fail(`write a TCP multiaddr such as /ip4/192.0.2.1/tcp/8300, not ${JSON.stringify(text)}`);
  }
  const parsed = parseHostPort(text);
  if (!parsed.ok) {
    return fail(`write a multiaddr such as /ip4/0.0.0.0/tcp/8300 or HOST:PORT, not ${JSON.stringify(text)}`);
  }
  const host = parsed.value.host === 'localhost' ? '127.0.0.1' : parsed.value.host;
  const family = isIP(host);
  if (family === 0) return fail(`write an IP address of this machine to listen on, not the name ${host}`);
  return succeed(`/ip${family}/${host}/tcp/${parsed.value.port}`);
}

/** Reads whom to dial: HOST, HOST:PORT (IPv4, [IPv6] or a name) or a multiaddr, with or without /p2p. */
export async function parseTarget(target: string): Promise<Outcome<Multiaddr, string>> {
  const text = target.trim();
  const address = await parseMultiaddr(text.startsWith('/') ? text : toMultiaddr(text));
  if (address?.getComponents().some(({ name }) => name === 'tcp')) return succeed(address);
  const example = `/ip4/192.0.2.1/tcp/${DEFAULT_MESH_PORT}`;
  return fail(
    `write HOST, HOST:PORT, [IPv6]:PORT or a TCP multiaddr such as ${example}, not ${JSON.stringify(target)}`,
  );
}

/** Empty for what names no host and port from 1; an IPv6 address without a port may do without brackets. */
function toMultiaddr(text: string): string {
  for (const candidate of [text, `${text}:${DEFAULT_MESH_PORT}`, `[${text}]:${DEFAULT_MESH_PORT}`]) {
    const parsed = parseHostPort(candidate);
    if (!parsed.ok || parsed.value.port === 0) continue;
    const { host, port } = parsed.value;
    return `/${isIP(host) === 0 ? 'dns' : `ip${isIP(host)}`}/${host}/tcp/${port}`;
  }
  return '';
}
