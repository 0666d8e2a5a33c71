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
  readonly isMember: (id: string) => boolean;
}

interface Waiting {
  readonly stream: Stream;
  readonly connection: Connection;
  readonly handler: StreamHandler;
}

export class MemberRegistrar implements Registrar {
  readonly #registrar: Registrar;
  readonly #isMember: (id: string) => boolean;
  readonly #topologies = new Map<string, Topology>();
  readonly #waiting = new Map<string, Waiting>();

  constructor(dependencies: MemberRegistrarDependencies) {
    this.#registrar = dependencies.registrar;
    this.#isMember = dependencies.isMember;
  }

  handle: Registrar['handle'] = (protocol, handler, options) => {
    const gated: StreamHandler = (stream, connection) => {
      const id = connection.remotePeer.toString();
      if (this.#isMember(id)) return handler(stream, connection);
      this.#keep(id, { stream, connection, handler });
    };
    return this.#registrar.handle(protocol, gated, options);
  };

  register: Registrar['register'] = async (protocol, topology, options) => {
    const gated: Topology = {
      ...topology,
      onConnect: (peer, connection) => {
        if (this.#isMember(peer.toString())) return topology.onConnect?.(peer, connection);
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
    if (waiting?.stream.status === 'open') void waiting.handler(waiting.stream, waiting.connection);
  }

  /** Has gossipsub open a stream over `connection` if it has none to that peer; harmless otherwise. */
  revive(connection: Connection): void {
    for (const topology of this.#first()) void topology.onConnect?.(connection.remotePeer, connection);
  }

  /** The peer isn't a member any more. */
  expel(peer: PeerId): void {
    this.#waiting.delete(peer.toString());
    for (const topology of this.#first()) void topology.onDisconnect?.(peer);
  }

  unhandle: Registrar['unhandle'] = (protocol, options) => this.#registrar.unhandle(protocol, options);
  getProtocols: Registrar['getProtocols'] = () => this.#registrar.getProtocols();
  getHandler: Registrar['getHandler'] = (protocol) => this.#registrar.getHandler(protocol);
  getTopologies: Registrar['getTopologies'] = (protocol) => this.#registrar.getTopologies(protocol);
  use: Registrar['use'] = (protocol, middleware) => this.#registrar.use(protocol, middleware);
  unuse: Registrar['unuse'] = (protocol) => this.#registrar.unuse(protocol);
  getMiddleware: Registrar['getMiddleware'] = (protocol) => this.#registrar.getMiddleware(protocol);

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
