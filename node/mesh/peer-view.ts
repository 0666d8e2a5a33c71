import type { Connection } from '@libp2p/interface';
import type { PeerTable } from './peer-table.ts';
import type { Redialer } from './redialer.ts';
import type { PeerView } from './types.ts';

/** The other members as the rest of the daemon sees them. */
export function peerViews(table: PeerTable, redialer: Redialer): PeerView[] {
  return table.members().map((peer) => ({
    id: peer.id,
    connected: peer.connections.length > 0,
    addresses: peer.addresses,
    remoteAddress: remoteAddress(table.connection(peer.id)),
    rttMs: peer.rttMs,
    lastHeardAtMs: peer.lastHeardAtMs,
    redial: peer.connections.length > 0 ? null : redialer.state(peer.id),
  }));
}

/** Without the /p2p part. */
export function remoteAddress(connection: Connection | null): string | null {
  return connection === null ? null : connection.remoteAddr.toString().replace(/\/p2p\/[^/]+$/, '');
}
