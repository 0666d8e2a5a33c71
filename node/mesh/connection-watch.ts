/**
 * Looks over the open connections: pings members (which measures the round trip and keeps links from
 * idling), gives up dead and mute ones, and closes the second of two that crossed.
 */
import type { Connection } from '@libp2p/interface';
import { FrameKind, LINK_PROTOCOL } from '../../protocols/link/index.ts';
import type { NodeId } from '../consensus/types.ts';
import type { Cancel, Clock, Logger } from '../ports.ts';
import { WATCH_PERIOD_MS } from './libp2p-settings.ts';
import type { MemberRegistrar } from './member-registrar.ts';
import type { Peer, PeerTable } from './peer-table.ts';
import type { RaftLinks } from './raft-links.ts';

const GOSSIP_PREFIX = '/meshsub/';
/** Both ends must have seen both connections before one is closed, or the peer would seem lost for a moment. */
const CROSSED_MS = 5000;
/** What may be open on a connection that is closed as superfluous: all of it moves to the other one. */
const MOVABLE = [GOSSIP_PREFIX, LINK_PROTOCOL, '/ipfs/id/'];

/**
 * Counted in looks, not in milliseconds: after this process itself was stopped for a minute, a single look
 * finds everyone silent although their bytes are only waiting to be read.
 */
const SILENT_LOOKS = 3;
const MUTE_LOOKS = 4;
/** Nodes gossip every few seconds. */
const GOSSIP_SILENT_MS = 60_000;

/** What was seen of one connected member at one look (every WATCH_PERIOD_MS). */
export interface Look {
  /** Whether anything at all came from it since the last look. */
  readonly heard: boolean;
  /** Whether gossip has a stream open to it, and from it. */
  readonly gossipOut: boolean;
  readonly gossipIn: boolean;
  /** Since gossip of its own was heard, from it or by way of others; null: none was since it is connected. */
  readonly gossipSilentMs: number | null;
}

/** Looks in a row at which something was wrong. */
export interface Complaints {
  readonly silent: number;
  readonly mute: number;
}

export const NO_COMPLAINTS: Complaints = { silent: 0, mute: 0 };

class Watched {
  complaints = NO_COMPLAINTS;
  heardAtLastLookMs: number | null = null;
  gossipAtMs: number | null = null;
  ping: { readonly token: Buffer; readonly sentAtMs: number } | null = null;
  ponged = false;
}

export interface ConnectionWatchDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly table: PeerTable;
  readonly links: RaftLinks;
  readonly registrar: () => MemberRegistrar | null;
  /** Whether a member's gossip isn't heard, because it is too much: that it gossips nothing then means nothing. */
  readonly isMuted: (id: NodeId) => boolean;
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

  /** Gossip of `id` was heard, whoever brought it. What comes while it isn't connected says nothing of what will be. */
  gossiped(id: NodeId): void {
    if (this.#deps.table.connection(id) === null) return;
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
    const { clock, isMuted, logger, table } = this.#deps;
    const muted = isMuted(peer.id);
    const watched = this.#of(peer.id);
    const now = clock.monotonicMs();
    const { complaints, verdict } = review(watched.complaints, {
      heard: peer.lastHeardAtMs !== watched.heardAtLastLookMs,
      gossipOut: muted || hasGossip(peer, 'outbound'),
      gossipIn: muted || hasGossip(peer, 'inbound'),
      gossipSilentMs: muted || watched.gossipAtMs === null ? null : now - watched.gossipAtMs,
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
    if (connection !== null && !hasGossip(peer, 'outbound')) this.#deps.registrar()?.revive(connection);
    this.#closeCrossed(peer, now);
  }

  /** Only the end with the smaller id closes, so that the two never close one each. */
  #closeCrossed(peer: Peer, now: number): void {
    const { logger, table } = this.#deps;
    if (peer.connections.length < 2) return;
    const owned = peer.connections.some(
      ({ connection }) => (connection.direction === 'outbound') === table.isPreferred(connection),
    );
    if (!owned || peer.connections.some(({ openedAtMs }) => now - openedAtMs < CROSSED_MS)) return;
    const kept = table.connection(peer.id);
    for (const { connection } of [...peer.connections]) {
      if (connection === kept || !isMovable(connection)) continue;
      logger.debug({ peer: peer.id }, 'second connection closed');
      connection.close().catch((error: Error) => connection.abort(error));
    }
  }

  #of(id: NodeId): Watched {
    const watched = this.#watched.get(id) ?? new Watched();
    this.#watched.set(id, watched);
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

function isMovable(connection: Connection): boolean {
  return connection.streams.every(({ protocol }) => MOVABLE.some((prefix) => protocol.startsWith(prefix)));
}

/** When a connection that looks open must be given up. Pure. */
export function review(
  before: Complaints,
  look: Look,
): { readonly complaints: Complaints; readonly verdict: 'fine' | 'dead' | 'mute' } {
  const gossips = look.gossipOut && look.gossipIn;
  const complaints = {
    silent: look.heard ? 0 : before.silent + 1,
    mute: gossips ? 0 : before.mute + 1,
  };
  if (complaints.silent >= SILENT_LOOKS) return { complaints, verdict: 'dead' };
  const fellSilent = look.gossipSilentMs !== null && look.gossipSilentMs >= GOSSIP_SILENT_MS;
  if (complaints.mute >= MUTE_LOOKS || fellSilent) return { complaints, verdict: 'mute' };
  return { complaints, verdict: 'fine' };
}
