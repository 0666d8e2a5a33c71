/** Where a connection comes from: what strangers are counted by. */
import type { Multiaddr } from '@multiformats/multiaddr';
import { networkOf } from '../addresses.ts';

/** An IPv4 address, or the /64 of an IPv6 address. */
export function sourceOf({ remoteAddr }: { readonly remoteAddr: Multiaddr }): string {
  const host = remoteAddr.getComponents().find(({ name }) => name === 'ip4' || name === 'ip6');
  return host?.value === undefined ? 'unknown' : networkOf(host.value);
}
