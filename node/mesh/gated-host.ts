import type { GossipSub } from '@chainsafe/libp2p-gossipsub';
import type { Libp2p, PeerId, PrivateKey } from '@libp2p/interface';
import type { NodeId } from '../consensus/types.ts';
import type { BanList } from './ban-list.ts';
import { createHost, MAX_STRANGERS } from './libp2p-settings.ts';
import { MemberRegistrar } from './member-registrar.ts';
import type { PeerTable } from './peer-table.ts';

export interface GatedHost {
  readonly host: Libp2p<{ gossip: GossipSub }>;
  readonly registrar: MemberRegistrar;
}

/** A host, not started yet, that turns away who is banned and lets only members gossip. */
export async function createGatedHost(
  options: { readonly privateKey: PrivateKey; readonly listen: string },
  dependencies: { readonly table: PeerTable; readonly bans: BanList },
): Promise<GatedHost> {
  const { privateKey, listen } = options;
  const { table, bans } = dependencies;
  const isMember = (id: NodeId) => table.isMember(id);
  const gater = {
    // After Noise has proved the key, before anything else runs.
    denyInboundEncryptedConnection(peer: PeerId): boolean {
      const id = peer.toString();
      return !isMember(id) && (bans.isBanned(id) || table.strangers() >= MAX_STRANGERS);
    },
  };
  const made = Promise.withResolvers<MemberRegistrar>();
  const host = await createHost({ privateKey, listen: [listen], gater }, (components) => {
    const { peerId, peerStore, connectionManager, logger } = components;
    const registrar = new MemberRegistrar({ registrar: components.registrar, isMember });
    made.resolve(registrar);
    return { privateKey, peerId, peerStore, connectionManager, logger, registrar };
  });
  return { host, registrar: await made.promise };
}
