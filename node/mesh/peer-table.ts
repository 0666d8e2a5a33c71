/** Who is a member, which connections are open to whom, and when each was last heard. No effects of its own. */
import { isDeepStrictEqual } from 'node:util';
import type { Connection } from '@libp2p/interface';
import type { KnownPeer } from '../../protocols/schema/member.ts';
import type { PeerView } from '../../protocols/schema/views.ts';
import type { NodeId } from '../consensus/types.ts';
import type { Clock } from '../ports.ts';

/** One peer: a member, or a stranger that is connected. */
export class Peer {
  readonly id: NodeId;
  member = false;
  /** As the cluster knows them. */
  addresses: readonly string[] = [];
  readonly connections: OpenConnection[] = [];
  lastHeardAtMs: number | null = null;
  rttMs: number | null = null;
  /** Joins under way with it, in either direction. */
  joining = 0;

  constructor(id: NodeId) {
    this.id = id;
  }
}

export interface OpenConnection {
  readonly connection: Connection;
  readonly openedAtMs: number;
}

export interface MembershipChange {
  readonly added: readonly Peer[];
  readonly readdressed: readonly Peer[];
  readonly removed: readonly Peer[];
}

export class PeerTable {
  readonly #self: NodeId;
  readonly #clock: Clock;
  readonly #peers = new Map<NodeId, Peer>();

  constructor(options: { readonly self: NodeId }, dependencies: { readonly clock: Clock }) {
    this.#self = options.self;
    this.#clock = dependencies.clock;
  }

  get(id: NodeId): Peer | undefined {
    return this.#peers.get(id);
  }

  /** This node itself isn't one. */
  isMember(id: NodeId): boolean {
    return this.#peers.get(id)?.member === true;
  }

  /** The other members, in no order. */
  members(): Peer[] {
    return [...this.#peers.values()].filter(({ member }) => member);
  }

  setMembers(known: readonly KnownPeer[]): MembershipChange {
    const added: Peer[] = [];
    const readdressed: Peer[] = [];
    const removed: Peer[] = [];
    const listed = new Set(known.map(({ id }) => id));
    for (const { id, addresses } of known) {
      if (id === this.#self) continue;
      const peer = this.#peers.get(id) ?? this.#add(id);
      if (!peer.member) added.push(peer);
      else if (!isDeepStrictEqual(peer.addresses, addresses)) readdressed.push(peer);
      peer.member = true;
      peer.addresses = [...addresses];
    }
    for (const peer of this.members()) {
      if (listed.has(peer.id)) continue;
      peer.member = false;
      removed.push(peer);
      if (peer.connections.length === 0) this.#peers.delete(peer.id);
    }
    return { added, readdressed, removed };
  }

  /** True when it is the peer's first. */
  opened(connection: Connection): boolean {
    const id = connection.remotePeer.toString();
    const peer = this.#peers.get(id) ?? this.#add(id);
    peer.connections.push({ connection, openedAtMs: this.#clock.monotonicMs() });
    return peer.connections.length === 1;
  }

  /** True when it was the peer's last. */
  closed(connection: Connection): boolean {
    const id = connection.remotePeer.toString();
    const peer = this.#peers.get(id);
    const index = peer?.connections.findIndex((open) => open.connection === connection) ?? -1;
    if (peer === undefined || index === -1) return false;
    peer.connections.splice(index, 1);
    if (peer.connections.length > 0) return false;
    peer.rttMs = null;
    if (!peer.member && peer.joining === 0) this.#peers.delete(id);
    return true;
  }

  /** A join with the peer begins; returns what to call, once, when it is over. */
  beginJoining(id: NodeId): () => void {
    const peer = this.#peers.get(id) ?? this.#add(id);
    peer.joining += 1;
    return () => {
      peer.joining -= 1;
      const idle = peer.joining === 0 && peer.connections.length === 0 && !peer.member;
      if (idle && this.#peers.get(id) === peer) this.#peers.delete(id);
    };
  }

  heard(id: NodeId): void {
    const peer = this.#peers.get(id);
    if (peer !== undefined) peer.lastHeardAtMs = this.#clock.monotonicMs();
  }

  /** The connection that new streams go over; null without an open one. */
  connection(id: NodeId): Connection | null {
    const open = this.#peers.get(id)?.connections.filter(({ connection }) => connection.status === 'open');
    if (open === undefined) return null;
    return (open.find(({ connection }) => this.isPreferred(connection)) ?? open.at(-1))?.connection ?? null;
  }

  /** Of two connections that crossed, both ends prefer the one that the smaller peer id dialled. */
  isPreferred(connection: Connection): boolean {
    const dialled = connection.direction === 'outbound';
    return dialled === this.#self < connection.remotePeer.toString();
  }

  /** The other members as the rest of the daemon sees them. */
  views(redial: (id: NodeId) => PeerView['redial']): PeerView[] {
    return this.members().map(({ id, addresses, rttMs, lastHeardAtMs, connections }) => {
      const connected = connections.length > 0;
      const remote = remoteAddress(this.connection(id));
      return {
        id,
        connected,
        addresses,
        remoteAddress: remote,
        rttMs,
        lastHeardAtMs,
        redial: connected ? null : redial(id),
      };
    });
  }

  #add(id: NodeId): Peer {
    const peer = new Peer(id);
    this.#peers.set(id, peer);
    return peer;
  }
}

/** Without the /p2p part. */
export function remoteAddress(connection: Connection | null): string | null {
  return connection === null ? null : connection.remoteAddr.toString().replace(/\/p2p\/[^/]+$/, '');
}
