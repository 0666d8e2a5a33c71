/** The answering half of every protocol: who may open it, and what it does. */
import type { Connection, Libp2p, Stream, StreamHandler, StreamHandlerOptions } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { serveBlob } from '../../protocols/blob/handler.ts';
import { BLOB_PROTOCOL, type BlobShelf } from '../../protocols/blob/index.ts';
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
import type { LookUp } from '../../protocols/proof/index.ts';
import type {
  Bearer,
  ControlRequest,
  ControlResponse,
  JoinRequest,
  ProofRefusal,
  ShownProof,
} from '../../protocols/schema/messages.ts';
import { ByteBudget } from '../../protocols/wire/budget.ts';
import type { NodeId } from '../consensus/types.ts';
import type { Clock, Logger } from '../ports.ts';
import type { ConnectionWatch } from './connection-watch.ts';
import type { Gate } from './gate.ts';
import { STREAM_LIMITS } from './libp2p-settings.ts';
import type { PeerTable } from './peer-table.ts';
import type { RaftLinks } from './raft-links.ts';
import { sourceOf } from './source.ts';
import { tokensOnly } from './strangers.ts';
import type { MeshDoor, MeshHandlers } from './types.ts';
import { WrongProofs } from './wrong-proofs.ts';

/** What one member may have waiting here in calls that it hasn't sent to their end: ten of the largest reports. */
const UNFINISHED_BYTES = 64 * 1024 * 1024;

export interface ServingOptions {
  readonly self: NodeId;
}

export interface ServingDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly shelf: BlobShelf;
  readonly table: PeerTable;
  readonly gate: Gate;
  readonly links: RaftLinks;
  readonly watch: ConnectionWatch;
  readonly handlers: MeshHandlers;
  readonly door: MeshDoor;
  /** A stranger has proved itself, and asks to join; returns what to call when it is answered. */
  readonly onProved: (connection: Connection) => () => void;
}

type Serve = (stream: Stream, from: NodeId, connection: Connection) => Promise<void>;

export class Serving {
  readonly #options: ServingOptions;
  readonly #deps: ServingDependencies;
  readonly #wrongProofs: WrongProofs;
  readonly #budgets = new Map<NodeId, ByteBudget>();

  constructor(options: ServingOptions, dependencies: ServingDependencies) {
    this.#options = options;
    this.#deps = dependencies;
    this.#wrongProofs = new WrongProofs(dependencies);
  }

  async register(host: Libp2p): Promise<void> {
    const { clock: timers, shelf, handlers } = this.#deps;
    const member = (serve: Serve) => this.#membersOnly(serve);
    const anyone = (serve: Serve) => this.#anyone(serve);
    const protocols: [string, StreamHandler, StreamHandlerOptions][] = [
      [CONTROL_PROTOCOL, member((stream, from) => this.#control(stream, from)), STREAM_LIMITS.control],
      [LINK_PROTOCOL, member((stream, from) => this.#link(stream, from)), STREAM_LIMITS.link],
      [
        BLOB_PROTOCOL,
        member((stream, from) => serveBlob(stream, from, { shelf, timers, gate: handlers.pushGate })),
        STREAM_LIMITS.blob,
      ],
      [
        HTTP_PROTOCOL,
        member(async (stream, from) => handlers.onHttp(from, new StreamDuplex(stream))),
        STREAM_LIMITS.http,
      ],
      [JOIN_PROTOCOL, anyone((...opened) => this.#join(...opened)), STREAM_LIMITS.join],
      [INSPECT_PROTOCOL, anyone((...opened) => this.#inspect(...opened)), STREAM_LIMITS.inspect],
    ];
    for (const [protocol, handler, limits] of protocols) await host.handle(protocol, handler, limits);
  }

  #membersOnly(serve: Serve): StreamHandler {
    const { table } = this.#deps;
    const open = this.#anyone(serve);
    return (stream, connection) => {
      const from = connection.remotePeer.toString();
      if (!table.isMember(from)) return stream.abort(new Error('the peer is no member'));
      table.heard(from);
      return open(stream, connection);
    };
  }

  #anyone(serve: Serve): StreamHandler {
    return async (stream, connection) => {
      const from = connection.remotePeer.toString();
      try {
        await serve(stream, from, connection);
      } catch (error) {
        stream.abort(error instanceof Error ? error : new Error(String(error)));
        this.#deps.logger.debug({ peer: from, protocol: stream.protocol, error }, 'stream broke off');
      }
    };
  }

  #control(stream: Stream, from: NodeId): Promise<void> {
    const { clock: timers, handlers, logger } = this.#deps;
    const onRequest = async (request: ControlRequest): Promise<ControlResponse> => {
      try {
        return await handlers.onControl(from, request);
      } catch (error) {
        // The caller is told nothing of a fault of ours but that it was refused.
        logger.error({ peer: from, request: request.type, error }, 'handling a call failed');
        throw error;
      }
    };
    return serveControl(stream, { timers, onRequest, budget: this.#budgetOf(from) });
  }

  /** One for all connections of a member. */
  #budgetOf(id: NodeId): ByteBudget {
    const known = this.#budgets.get(id);
    if (known !== undefined) return known;
    for (const other of this.#budgets.keys()) {
      if (!this.#deps.table.isMember(other)) this.#budgets.delete(other);
    }
    const budget = new ByteBudget(UNFINISHED_BYTES);
    this.#budgets.set(id, budget);
    return budget;
  }

  #link(stream: Stream, from: NodeId): Promise<void> {
    const { table, handlers, links, logger, watch } = this.#deps;
    return serveLink(stream, {
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

  async #join(stream: Stream, peer: NodeId, connection: Connection): Promise<void> {
    const { clock: timers, door, handlers, logger, onProved } = this.#deps;
    let end = (): void => {};
    const judge = (right: boolean) => {
      if (right) end = onProved(connection);
      return this.#judgeToken(right, connection);
    };
    const onRequest = (request: JoinRequest, proof: ShownProof | null) => {
      logger.info({ peer, request: request.type }, 'join request proved');
      return handlers.onJoin(peer, request, proof);
    };
    try {
      const { self } = this.#options;
      const options = { self, peer, credential: door.credential, lookUp: tokensOnly(door, peer) };
      await serveJoin(stream, options, { timers, judge, onRequest });
    } finally {
      end();
    }
  }

  #inspect(stream: Stream, peer: NodeId, connection: Connection): Promise<void> {
    const { clock: timers, handlers, table } = this.#deps;
    const judge = (right: boolean) => this.#judgeToken(right, connection);
    const view = () => handlers.onInspect();
    const lookUp = (bearer: Bearer) => this.#inspector(bearer, peer);
    const options = { ...this.#options, lookUp, peer, peerIsMember: table.isMember(peer) };
    return serveInspection(stream, options, { timers, judge, view });
  }

  /** Of who inspects: the holder of a join token, or of the key of a member or of this node itself. */
  #inspector({ type, id }: Bearer, peer: NodeId): ReturnType<LookUp> {
    const { table, door } = this.#deps;
    if (type === 'token') return door.known(id, peer);
    if (id !== this.#options.self && !table.isMember(id)) return null;
    const key = peerIdFromString(id).publicKey?.raw;
    return key === undefined ? null : { key, refusal: null };
  }

  /** A wrong proof is answered late. */
  async #judgeToken(right: boolean, connection: Connection): Promise<ProofRefusal | null> {
    const { gate } = this.#deps;
    const peer = connection.remotePeer.toString();
    if (right) {
      gate.welcome(peer);
      return null;
    }
    await this.#wrongProofs.record(peer, sourceOf(connection));
    return 'WRONG_TOKEN';
  }
}
