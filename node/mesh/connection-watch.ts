/**
 * Looks over the open connections: pings members (which measures the round trip and keeps links from
 * idling), gives up dead and mute ones, and closes the second of two that crossed.
 */
import { FrameKind, LINK_PROTOCOL } from '../../protocols/link/index.ts';
import type { NodeId } from '../consensus/types.ts';
import type { Cancel, Clock, Logger } from '../ports.ts';
import { WATCH_PERIOD_MS } from './libp2p-settings.ts';
import type { MemberRegistrar } from './member-registrar.ts';
import type { OpenConnection, Peer, PeerTable } from './peer-table.ts';
import type { RaftLinks } from './raft-links.ts';
import { type Complaints, NO_COMPLAINTS, review } from './watch-rules.ts';

const GOSSIP_PREFIX = '/meshsub/';
/** Both ends must have seen both connections before one is closed, or the peer would seem lost for a moment. */
const CROSSED_MS = 5000;
/** What may be open on a connection that is closed as superfluous: all of it moves to the other one. */
const MOVABLE = [GOSSIP_PREFIX, LINK_PROTOCOL, '/ipfs/id/'];

interface Watched {
  complaints: Complaints;
  heardAtLastLookMs: number | null;
  gossipAtMs: number | null;
  ping: { readonly token: Buffer; readonly sentAtMs: number } | null;
  ponged: boolean;
}

export interface ConnectionWatchDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly table: PeerTable;
  readonly links: RaftLinks;
  readonly registrar: () => MemberRegistrar | null;
}

export class ConnectionWatch {
  readonly #deps: ConnectionWatchDependencies;
  readonly #watched = new Map<NodeId, Watched>();
  #pings = 0n;
  #cancel: Cancel = () => {};

  constructor(dependencies: ConnectionWatchDependencies) {
    this.#deps = dependencies;
  }

  start(): void {
    this.#cancel = this.#deps.clock.every(WATCH_PERIOD_MS, () => this.look());
  }

  stop(): void {
    this.#cancel();
    this.#watched.clear();
  }

  /** The last connection to `id` is gone, and with it what was known of it. */
  forget(id: NodeId): void {
    this.#watched.delete(id);
  }

  /** `id`'s own gossip was heard. */
  gossiped(id: NodeId): void {
    this.#of(id).gossipAtMs = this.#deps.clock.monotonicMs();
  }

  ping(id: NodeId): void {
    const token = Buffer.alloc(8);
    this.#pings += 1n;
    token.writeBigUInt64BE(this.#pings);
    if (this.#deps.links.send(id, FrameKind.PING, token)) {
      this.#of(id).ping = { token, sentAtMs: this.#deps.clock.monotonicMs() };
    }
  }

  ponged(id: NodeId, token: Uint8Array): void {
    const { clock, links, table } = this.#deps;
    const watched = this.#of(id);
    if (watched.ping === null || !watched.ping.token.equals(token)) return;
    const peer = table.get(id);
    const tookMs = clock.monotonicMs() - watched.ping.sentAtMs;
    watched.ping = null;
    links.proved(id);
    if (peer === undefined) return;
    if (watched.ponged) peer.rttMs = tookMs;
    // The first answer waited for the link of the other direction to open: it measures that.
    else this.ping(id);
    watched.ponged = true;
  }

  /** One round over all connected members. */
  look(): void {
    for (const peer of this.#deps.table.members()) {
      if (peer.connections.length > 0) this.#lookAt(peer);
    }
  }

  #lookAt(peer: Peer): void {
    const { clock, logger, table } = this.#deps;
    const watched = this.#of(peer.id);
    const now = clock.monotonicMs();
    const { complaints, verdict } = review(watched.complaints, {
      heard: peer.lastHeardAtMs !== watched.heardAtLastLookMs,
      gossipOut: hasGossip(peer, 'outbound'),
      gossipIn: hasGossip(peer, 'inbound'),
      gossipSilentMs: watched.gossipAtMs === null ? null : now - watched.gossipAtMs,
    });
    watched.complaints = complaints;
    watched.heardAtLastLookMs = peer.lastHeardAtMs;
    if (verdict !== 'fine') {
      logger.warn({ peer: peer.id, verdict }, 'connection given up, dialling again');
      for (const { connection } of [...peer.connections])
        connection.abort(new Error(`the peer is ${verdict}`));
      return;
    }
    this.ping(peer.id);
    const connection = table.connection(peer.id);
    if (connection !== null && !hasGossip(peer, 'outbound')) {
      this.#deps.registrar()?.revive(connection);
    }
    this.#closeCrossed(peer, now);
  }

  /** Only the end with the smaller id closes, so that the two never close one each. */
  #closeCrossed(peer: Peer, now: number): void {
    const { clock, logger, table } = this.#deps;
    if (peer.connections.length < 2) return;
    const owned = peer.connections.some(
      ({ connection }) => (connection.direction === 'outbound') === table.isPreferred(connection),
    );
    if (!owned || peer.connections.some(({ openedAtMs }) => now - openedAtMs < CROSSED_MS)) return;
    const kept = table.connection(peer.id);
    for (const { connection } of [...peer.connections]) {
      if (connection === kept || !isMovable({ connection, openedAtMs: clock.monotonicMs() })) continue;
      logger.debug({ peer: peer.id }, 'second connection closed');
      connection.close().catch((error: Error) => connection.abort(error));
    }
  }

  #of(id: NodeId): Watched {
    let watched = this.#watched.get(id);
    if (watched === undefined) {
      watched = {
        complaints: NO_COMPLAINTS,
        heardAtLastLookMs: null,
        gossipAtMs: null,
        ping: null,
        ponged: false,
      };
      this.#watched.set(id, watched);
    }
    return watched;
  }
}

function hasGossip(peer: Peer, direction: 'inbound' | 'outbound'): boolean {
  return peer.connections.some(({ connection }) =>
    connection.streams.some(
      (stream) =>
        stream.direction === direction &&
        stream.status === 'open' &&
        stream.protocol.startsWith(GOSSIP_PREFIX),
    ),
  );
}

function isMovable({ connection }: OpenConnection): boolean {
  return connection.streams.every(({ protocol }) => MOVABLE.some((prefix) => protocol.startsWith(prefix)));
}
