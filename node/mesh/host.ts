/** This node's libp2p host with the gate of the mesh in it, and how it dials members. */
import type { GossipSub } from '@chainsafe/libp2p-gossipsub';
import type { Libp2p, PrivateKey } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import type { KnownPeer } from '../../protocols/schema/member.ts';
import type { NodeId } from '../consensus/types.ts';
import type { DialRules } from '../dial-rules.ts';
import { dialable } from './dialable.ts';
import type { Gate } from './gate.ts';
import type { GossipGuard } from './gossip-guard.ts';
import { createHost } from './libp2p-settings.ts';
import { MemberRegistrar } from './member-registrar.ts';
import type { PeerTable } from './peer-table.ts';

export interface GatedHost {
  readonly host: Libp2p<{ gossip: GossipSub }>;
  readonly registrar: MemberRegistrar;
}

/** A host, not started yet, behind the gate, that lets only members gossip. */
export async function createGatedHost(
  options: { readonly privateKey: PrivateKey; readonly listen: string },
  dependencies: { readonly table: PeerTable; readonly gate: Gate; readonly guard: GossipGuard },
): Promise<GatedHost> {
  const { privateKey, listen } = options;
  const { table, gate, guard } = dependencies;
  const isHeard = (id: NodeId) => table.isMember(id) && !guard.isMuted(id);
  const onBytes = (id: NodeId, count: number) => guard.received(id, count);
  const { gater } = gate;
  const made = Promise.withResolvers<MemberRegistrar>();
  const host = await createHost({ privateKey, listen: [listen], gater }, (components) => {
    const { peerId, peerStore, connectionManager, logger } = components;
    const registrar = new MemberRegistrar({ registrar: components.registrar, isHeard, onBytes });
    made.resolve(registrar);
    return { privateKey, peerId, peerStore, connectionManager, logger, registrar };
  });
  return { host, registrar: await made.promise };
}

/**
 * Tries once to reach a member by all its known addresses that may be dialled, in order. Rejects when none answers.
 */
export async function dialMember(
  host: Libp2p,
  { id, addresses }: KnownPeer,
  rules: DialRules,
): Promise<void> {
  // What the cluster knows, then what the peer itself said when it was last connected.
  const known = new Set(addresses);
  const peerId = peerIdFromString(id);
  if (await host.peerStore.has(peerId)) {
    for (const heard of (await host.peerStore.get(peerId)).addresses) known.add(heard.multiaddr.toString());
  }
  const whole = [...known].flatMap((address) => withPeerId(address, id));
  const permitted = await Promise.all(whole.map((address) => dialable(address, rules).catch(() => [])));
  // libp2p takes an empty list for "wherever you have heard of".
  if (permitted.flat().length === 0) throw new Error('no address of the member may be dialled');
  await host.dial(permitted.flat());
}

/** With the id appended, another peer at that address is refused. Nothing for what is no address. */
function withPeerId(address: string, id: NodeId): Multiaddr[] {
  const own = `/p2p/${id}`;
  try {
    return [multiaddr(address.endsWith(own) ? address : `${address}${own}`)];
  } catch {
    return [];
  }
}
