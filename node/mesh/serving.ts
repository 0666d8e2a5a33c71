/** The answering half of every protocol: who may open it, and what it does. */
import type { Connection, Libp2p, Stream, StreamHandler } from '@libp2p/interface';
import { serveBlob } from '../../protocols/blob/handler.ts';
import { BLOB_PROTOCOL } from '../../protocols/blob/index.ts';
import { serveControl } from '../../protocols/control/handler.ts';
import { CONTROL_PROTOCOL } from '../../protocols/control/index.ts';
import { StreamDuplex } from '../../protocols/http/duplex.ts';
import { HTTP_PROTOCOL } from '../../protocols/http/index.ts';
import { serveInspection } from '../../protocols/inspect/handler.ts';
import { INSPECT_PROTOCOL } from '../../protocols/inspect/index.ts';
import { serveJoin } from '../../protocols/join/handler.ts';
import { JOIN_PROTOCOL } from '../../protocols/join/index.ts';
import { serveLink } from '../../protocols/link/handler.ts';
import { FrameKind, LINK_PROTOCOL } from '../../protocols/link/index.ts';
import type { ProofRefusal } from '../../protocols/proof/index.ts';
import type { NodeId } from '../consensus/types.ts';
import type { Clock, Logger } from '../ports.ts';
import type { BanList } from './ban-list.ts';
import type { ConnectionWatch } from './connection-watch.ts';
import { STREAM_LIMITS } from './libp2p-settings.ts';
import type { PeerTable } from './peer-table.ts';
import type { RaftLinks } from './raft-links.ts';
import type { BlobShelf, ControlRequest, ControlResponse, MeshHandlers } from './types.ts';

export interface ServingDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly shelf: BlobShelf;
  readonly table: PeerTable;
  readonly bans: BanList;
  readonly links: RaftLinks;
  readonly watch: ConnectionWatch;
  readonly handlers: MeshHandlers;
  /** A stranger is proving itself; returns what to call when it is done. */
  readonly onJoining: (connection: Connection) => () => void;
}

type Serve = (stream: Stream, from: NodeId, connection: Connection) => Promise<void>;

/** Registers all protocols. `self` is this node's id, `token` the cluster's secret. */
export async function serveProtocols(
  host: Libp2p,
  options: { readonly self: NodeId; readonly token: Uint8Array },
  dependencies: ServingDependencies,
): Promise<void> {
  const { clock, shelf, table, handlers } = dependencies;
  const member = (serve: Serve) => membersOnly(serve, dependencies);
  await host.handle(
    CONTROL_PROTOCOL,
    member((stream, from) =>
      serveControl(stream, { timers: clock, onRequest: controlServer(from, dependencies) }),
    ),
    STREAM_LIMITS.control,
  );
  await host.handle(LINK_PROTOCOL, member(linkServer(dependencies)), STREAM_LIMITS.link);
  await host.handle(
    BLOB_PROTOCOL,
    member((stream) => serveBlob(stream, { shelf, timers: clock })),
    STREAM_LIMITS.blob,
  );
  await host.handle(
    HTTP_PROTOCOL,
    member(async (stream, from) => handlers.onHttp(from, new StreamDuplex(stream))),
    STREAM_LIMITS.http,
  );
  await host.handle(JOIN_PROTOCOL, joinServer(options, dependencies), STREAM_LIMITS.join);
  const inspection: Serve = (stream, peer, connection) =>
    serveInspection(
      stream,
      { ...options, peer, peerIsMember: table.isMember(peer) },
      {
        timers: clock,
        judge: (right) => judgeToken(right, connection, dependencies),
        view: () => handlers.onInspect(),
      },
    );
  await host.handle(INSPECT_PROTOCOL, anyone(inspection, dependencies), STREAM_LIMITS.inspect);
}

function membersOnly(serve: Serve, dependencies: ServingDependencies): StreamHandler {
  const { table } = dependencies;
  const open = anyone(serve, dependencies);
  return (stream, connection) => {
    const from = connection.remotePeer.toString();
    if (!table.isMember(from)) {
      stream.abort(new Error('the peer is no member'));
      return;
    }
    table.heard(from);
    return open(stream, connection);
  };
}

function anyone(serve: Serve, { logger }: ServingDependencies): StreamHandler {
  return async (stream, connection) => {
    const from = connection.remotePeer.toString();
    try {
      await serve(stream, from, connection);
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(String(error)));
      logger.debug({ peer: from, protocol: stream.protocol, error }, 'stream broke off');
    }
  };
}

/** The caller is told nothing of a fault of ours but that it was refused. */
function controlServer(from: NodeId, { handlers, logger }: ServingDependencies) {
  return async (request: ControlRequest): Promise<ControlResponse> => {
    try {
      return await handlers.onControl(from, request);
    } catch (error) {
      logger.error({ peer: from, request: request.type, error }, 'handling a call failed');
      throw error;
    }
  };
}

function linkServer({ table, handlers, links, logger, watch }: ServingDependencies): Serve {
  return (stream, from) =>
    serveLink(stream, {
      onFrame: (payload) => {
        // The stream outlives a removal by the moment that its connection takes to close.
        if (!table.isMember(from)) return;
        try {
          handlers.onRaftFrame(from, payload);
        } catch (error) {
          logger.error({ peer: from, error }, 'handling a consensus frame failed');
        }
      },
      onPing: (token) => links.send(from, FrameKind.PONG, token),
      onPong: (token) => watch.ponged(from, token),
      onBytes: () => table.heard(from),
    });
}

function joinServer(
  options: { readonly self: NodeId; readonly token: Uint8Array },
  dependencies: ServingDependencies,
): StreamHandler {
  const { clock, handlers, logger, onJoining } = dependencies;
  return anyone(async (stream, peer, connection) => {
    const end = onJoining(connection);
    try {
      await serveJoin(
        stream,
        { ...options, peer },
        {
          timers: clock,
          judge: (right) => judgeToken(right, connection, dependencies),
          onRequest: (request) => {
            logger.info({ peer, request: request.type }, 'join token proved');
            return handlers.onJoin(peer, request);
          },
        },
      );
    } finally {
      end();
    }
  }, dependencies);
}

/** After the ban's last word has had time to go out, the connection is closed; the gate refuses the next one. */
function judgeToken(
  right: boolean,
  connection: Connection,
  { bans, clock, logger }: ServingDependencies,
): ProofRefusal | null {
  const peer = connection.remotePeer.toString();
  if (bans.isBanned(peer)) return 'BANNED';
  if (right) {
    bans.forgive(peer);
    return null;
  }
  const banned = bans.recordWrongTry(peer);
  logger.warn({ peer, address: connection.remoteAddr.toString(), banned }, 'wrong join token');
  if (!banned) return 'WRONG_TOKEN';
  clock.after(1000, () => {
    if (bans.isBanned(peer)) connection.abort(new Error('the peer is banned'));
  });
  return 'BANNED';
}
