/**
 * What gossipsub is given in place of libp2p's registrar, so that it hears, and tells, members only.
 *
 * Two nodes learn at different moments that a third is a member, but gossipsub opens its one stream to a
 * peer only once, when the peer connects. So what comes too early is kept, not refused, until the peer is a
 * member or its connection is closed. `revive` opens a stream anew that was lost although the connection
 * was not: without it the other end stays mute (libp2p/js-libp2p#3531).
 */
import type { GossipSubComponents } from '@chainsafe/libp2p-gossipsub';
import type { Connection, PeerId, Stream, StreamHandler, Topology } from '@libp2p/interface';

type Registrar = GossipSubComponents['registrar'];

export interface MemberRegistrarDependencies {
  readonly registrar: Registrar;
  /** Whether a peer's gossip is heard: a member's is. */
  readonly isHeard: (id: string) => boolean;
  /** Bytes of gossip came from a peer that is heard. */
  readonly onBytes: (id: string, count: number) => void;
}

interface Waiting {
  readonly stream: Stream;
  readonly connection: Connection;
  readonly handler: StreamHandler;
}

export class MemberRegistrar implements Registrar {
  readonly #registrar: Registrar;
  readonly #isHeard: (id: string) => boolean;
  readonly #onBytes: (id: string, count: number) => void;
  readonly #topologies = new Map<string, Topology>();
  readonly #waiting = new Map<string, Waiting>();
  /** What gossip reads. */
  readonly #heard = new Map<string, Set<Stream>>();

  constructor(dependencies: MemberRegistrarDependencies) {
    this.#registrar = dependencies.registrar;
    this.#isHeard = dependencies.isHeard;
    this.#onBytes = dependencies.onBytes;
  }

  handle: Registrar['handle'] = (protocol, handler, options) => {
    const gated: StreamHandler = (stream, connection) => {
      const id = connection.remotePeer.toString();
      if (this.#isHeard(id)) return this.#hand({ stream, connection, handler });
      this.#keep(id, { stream, connection, handler });
    };
    return this.#registrar.handle(protocol, gated, options);
  };

  register: Registrar['register'] = async (protocol, topology, options) => {
    const gated: Topology = {
      ...topology,
      onConnect: (peer, connection) => {
        if (this.#isHeard(peer.toString())) return topology.onConnect?.(peer, connection);
      },
      onDisconnect: (peer) => topology.onDisconnect?.(peer),
    };
    const id = await this.#registrar.register(protocol, gated, options);
    this.#topologies.set(id, topology);
    return id;
  };

  unregister: Registrar['unregister'] = (id) => {
    this.#topologies.delete(id);
    this.#registrar.unregister(id);
  };

  /** The peer has become a member: what it sent before is heeded now, and gossip goes to it. */
  admit(connection: Connection): void {
    const id = connection.remotePeer.toString();
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    this.revive(connection);
    if (waiting?.stream.status === 'open') void this.#hand(waiting);
  }

  /** Has gossipsub open a stream over `connection` if it has none to that peer; harmless otherwise. */
  revive(connection: Connection): void {
    if (!this.#isHeard(connection.remotePeer.toString())) return;
    for (const topology of this.#first()) void topology.onConnect?.(connection.remotePeer, connection);
  }

  /** The peer is to be heard no more. */
  expel(peer: PeerId): void {
    this.#waiting.delete(peer.toString());
    for (const topology of this.#first()) void topology.onDisconnect?.(peer);
    // Gossip closes its end only, and would read on.
    for (const stream of this.#heard.get(peer.toString()) ?? [])
      stream.abort(new Error('not heard any more'));
  }

  unhandle: Registrar['unhandle'] = (protocol, options) => this.#registrar.unhandle(protocol, options);
  getProtocols: Registrar['getProtocols'] = () => this.#registrar.getProtocols();
  getHandler: Registrar['getHandler'] = (protocol) => this.#registrar.getHandler(protocol);
  getTopologies: Registrar['getTopologies'] = (protocol) => this.#registrar.getTopologies(protocol);
  use: Registrar['use'] = (protocol, middleware) => this.#registrar.use(protocol, middleware);
  unuse: Registrar['unuse'] = (protocol) => this.#registrar.unuse(protocol);
  getMiddleware: Registrar['getMiddleware'] = (protocol) => this.#registrar.getMiddleware(protocol);

  #hand({ stream, connection, handler }: Waiting): void | Promise<void> {
    const id = connection.remotePeer.toString();
    const streams = this.#heard.get(id) ?? new Set();
    this.#heard.set(id, streams.add(stream));
    stream.addEventListener('close', () => {
      streams.delete(stream);
      if (streams.size === 0 && this.#heard.get(id) === streams) this.#heard.delete(id);
    });
    const handled = handler(stream, connection);
    // Not before gossip listens itself: what has come already is told to the first that does.
    setImmediate(() => stream.addEventListener('message', ({ data }) => this.#onBytes(id, data.byteLength)));
    return handled;
  }

  /** Gossipsub registers one topology for each version of its protocol; they all do the same. */
  *#first(): Generator<Topology> {
    const first = this.#topologies.values().next();
    if (first.done !== true) yield first.value;
  }

  #keep(id: string, waiting: Waiting): void {
    this.#waiting.get(id)?.stream.abort(new Error('replaced by a newer stream'));
    this.#waiting.set(id, waiting);
    waiting.stream.addEventListener('close', () => {
      if (this.#waiting.get(id) === waiting) this.#waiting.delete(id);
    });
  }
}
