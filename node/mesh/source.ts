/** Where a connection comes from: what strangers are counted by. */
import type { Multiaddr } from '@multiformats/multiaddr';

/** One machine often has a whole /64 of IPv6. */
const PREFIX_GROUPS = 4;

/** An IPv4 address, or the /64 of an IPv6 address. */
export function sourceOf({ remoteAddr }: { readonly remoteAddr: Multiaddr }): string {
  const host = remoteAddr.getComponents().find(({ name }) => name === 'ip4' || name === 'ip6');
  const address = host?.value ?? 'unknown';
  if (host?.name !== 'ip6') return address;
  const [head = '', tail = ''] = address.replace(/%.*$/, '').split('::');
  const groups = head.split(':').filter((group) => group !== '');
  const rest = tail.split(':').filter((group) => group !== '');
  while (groups.length + rest.length < 8 && address.includes('::')) groups.push('0');
  return `${[...groups, ...rest].slice(0, PREFIX_GROUPS).join(':')}::/64`;
}
