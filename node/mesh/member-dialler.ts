import type { Libp2p } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import type { NodeId } from '../consensus/types.ts';
import type { Logger } from '../ports.ts';

/** Tries once to reach a member by all its known addresses, in order. Never rejects. */
export async function dialMember(
  host: Libp2p,
  peer: { readonly id: NodeId; readonly addresses: readonly string[] },
  dependencies: { readonly logger: Logger },
): Promise<boolean> {
  try {
    const targets = await knownAddresses(host, peer.id, peer.addresses);
    if (targets.length === 0) return false;
    await host.dial(targets);
    return true;
  } catch (error) {
    dependencies.logger.debug({ peer: peer.id, error }, 'dial failed');
    return false;
  }
}

/** What the cluster knows, then what the peer itself said when it was last connected. */
async function knownAddresses(host: Libp2p, id: NodeId, addresses: readonly string[]): Promise<Multiaddr[]> {
  const known = new Set(addresses);
  const peerId = peerIdFromString(id);
  if (await host.peerStore.has(peerId)) {
    for (const heard of (await host.peerStore.get(peerId)).addresses) known.add(heard.multiaddr.toString());
  }
  const own = `/p2p/${id}`;
  return [...known].flatMap((address) => {
    try {
      // With the id appended, another peer at that address is refused.
      return [multiaddr(address.endsWith(own) ? address : `${address}${own}`)];
    } catch {
      return [];
    }
  });
}
