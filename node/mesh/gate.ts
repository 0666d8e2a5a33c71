/**
 * The gate of the mesh: what of who comes from outside is let in, before anything else runs.
 *
 * Peer ids are free, so strangers are bounded by connections, bytes, streams and the addresses that they come from;
 * a member only by its own connections, of which the oldest gives way. Before Noise nobody is known: there only the
 * handshakes under way are bounded, and how many a source may begin: who begins thousands a second keeps out others
 * behind the same address meanwhile. Else nobody is refused because others are in: they give way (see `FairRoom`), so
 * strangers can't keep a member out, and one address can't keep out a joiner behind another.
 */
import type { ConnectionGater, MultiaddrConnection, PeerId } from '@libp2p/interface';
import type { NodeId } from '../consensus/types.ts';
import type { Clock } from '../ports.ts';
import { Allowance } from './allowance.ts';
import { FairRoom } from './fair-room.ts';
import { MAX_HANDSHAKES, MAX_STRANGERS } from './libp2p-settings.ts';
import { sourceOf } from './source.ts';

/** Handshakes that one source may begin: enough for a cluster on one host that starts at once. */
const HANDSHAKES = { burst: 256, perSecond: 64 } as const;
/** Connections of one member that it dialled. */
const MEMBER_CONNECTIONS = 8;
/** What a stranger may send before it has proved that it knows a token: some hundred times what a proof takes. */
const STRANGER_BYTES = 256 * 1024;

export interface GateDependencies {
  readonly clock: Clock;
  readonly isMember: (id: NodeId) => boolean;
}

/** A connection of a peer that is no member. */
interface Guest {
  readonly source: string;
  readonly connection: MultiaddrConnection;
  bytes: number;
}

export class Gate {
  readonly #deps: GateDependencies;
  readonly #handshakes: Allowance;
  /** Connections whose peer isn't known yet. */
  readonly #unknown = new FairRoom<MultiaddrConnection>(MAX_HANDSHAKES);
  readonly #strangers = new FairRoom<Guest>(MAX_STRANGERS);
  /** In the order of their coming. */
  readonly #members = new Map<NodeId, Set<MultiaddrConnection>>();
  readonly #guests = new Map<NodeId, Set<Guest>>();

  constructor(dependencies: GateDependencies) {
    this.#deps = dependencies;
    this.#handshakes = new Allowance(HANDSHAKES, dependencies);
  }

  /** What libp2p asks. */
  get gater(): ConnectionGater {
    return {
      denyInboundConnection: (connection) => !this.#mayBegin(connection),
      denyInboundEncryptedConnection: (peer, connection) => {
        this.#identify(peer, connection);
        return false;
      },
    };
  }

  /** Of a member, a few: it needs one, and two for a moment when both dial. */
  #admit(id: NodeId, connection: MultiaddrConnection): void {
    const those = this.#members.get(id) ?? new Set();
    this.#members.set(id, those.add(connection));
    connection.addEventListener('close', () => {
      those.delete(connection);
      if (those.size === 0 && this.#members.get(id) === those) this.#members.delete(id);
    });
    const [oldest] = those;
    if (those.size > MEMBER_CONNECTIONS) oldest?.abort(new Error('a member that opens many connections'));
  }

  /** The peer has proved that it knows a token, or is a member now: it is no stranger. */
  welcome(id: NodeId): void {
    for (const guest of this.#guests.get(id) ?? []) this.#strangers.leave(guest.source, guest);
    this.#guests.delete(id);
  }

  #mayBegin(connection: MultiaddrConnection): boolean {
    const source = sourceOf(connection);
    if (!this.#handshakes.take(source)) return false;
    const longest = this.#unknown.enter(source, connection);
    connection.addEventListener('close', () => this.#unknown.leave(source, connection));
    longest?.abort(new Error('it did not say who it is while others waited'));
    return true;
  }

  #identify(peer: PeerId, connection: MultiaddrConnection): void {
    const source = sourceOf(connection);
    const id = peer.toString();
    this.#unknown.leave(source, connection);
    if (this.#deps.isMember(id)) {
      this.#admit(id, connection);
      return;
    }
    const guest: Guest = { source, connection, bytes: 0 };
    this.#guests.set(id, (this.#guests.get(id) ?? new Set()).add(guest));
    connection.addEventListener('close', () => this.#forget(id, guest));
    // Noise has its own listener by now: this one only counts along.
    connection.addEventListener('message', ({ data }) => this.#count(id, guest, data.byteLength));
    const longest = this.#strangers.enter(source, guest);
    longest?.connection.abort(new Error('other strangers want in'));
  }

  #count(id: NodeId, guest: Guest, bytes: number): void {
    if (this.#guests.get(id)?.has(guest) !== true) return;
    guest.bytes += bytes;
    if (guest.bytes > STRANGER_BYTES) guest.connection.abort(new Error('a stranger that sends too much'));
  }

  #forget(id: NodeId, guest: Guest): void {
    this.#strangers.leave(guest.source, guest);
    const those = this.#guests.get(id);
    if (those?.delete(guest) === true && those.size === 0) this.#guests.delete(id);
  }
}
