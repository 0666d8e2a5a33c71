/**
 * From an address that somebody else named to the addresses that are dialled. A name is resolved here, once, and what
 * it gave is what is checked and dialled: a name server that answers otherwise the next time gains nothing.
 */
import { lookup } from 'node:dns/promises';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import { type DialRules, tcpEnd } from '../dial-rules.ts';

/** The IP addresses of a name; rejects when it has none. */
export type Resolve = (name: string) => Promise<readonly string[]>;

const resolveBySystem: Resolve = async (name) =>
  (await lookup(name, { all: true })).map(({ address }) => address);

/**
 * What may be dialled of `address`: several where it is a name, none where the rules forbid it.
 * @throws the error of the name server
 */
export async function dialable(
  address: Multiaddr,
  rules: DialRules,
  resolve: Resolve = resolveBySystem,
): Promise<readonly Multiaddr[]> {
  const end = tcpEnd(address);
  if (end === null) return [];
  if (!end.isName) return rules.permits(end.host) ? [address] : [];
  const permitted = (await resolve(end.host)).filter((host) => rules.permits(host));
  const [, port, ...peer] = address.getComponents();
  const rest = [port, ...peer].map((part) => `/${part?.name}/${part?.value}`).join('');
  return permitted.map((host) => multiaddr(`/${host.includes(':') ? 'ip6' : 'ip4'}/${host}${rest}`));
}
