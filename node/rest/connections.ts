/**
 * How many connections there are at a time, altogether and from one network: whoever has more is told so, and the others
 * still get in. One counts from its first packet on, by TLS too, where the handshake alone may be all that ever comes.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { isLoopback, networkOf } from '../addresses.ts';
import type { Cancel, Clock } from '../ports.ts';
import type { DoorDependencies } from './auth.ts';
import { ApiError, answerOf } from './errors.ts';

export interface ConnectionLimits {
  readonly maxConnections: number;
  /** Reverse proxies stand on loopback, which is therefore exempt. */
  readonly maxConnectionsPerAddress: number;
}

/** Places beyond the limit, for trusted users of this machine only: whoever has taken all others, the operator gets in. */
const ROOM_FOR_TRUSTED = 64;
/** So many are told at a time that they were refused; who comes then is closed without a word. */
const ROOM_TO_REFUSE = 64;

/** How long who was refused may take to read why, by TLS with the handshake. */
const LINGER_MS = 1000;

interface Caller {
  readonly raw: Socket;
  /** What answers are written to; null before the handshake of TLS. */
  speaker: Socket | null;
  refusal: ApiError | null;
  /** Settles when it is known whether it may stay; null: it is. */
  verdict: Promise<void> | null;
}

export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #deps: { readonly clock: Clock } & Pick<DoorDependencies, 'localUser'>;
  readonly #callers = new WeakMap<Duplex, Caller>();
  /** Those in or before the handshake of TLS, by their ends: Node doesn't tell which connection a TLS socket is on. */
  readonly #shakingHands = new Map<string, Caller>();
  /** Those that count, by network; who was refused takes nobody's place. */
  readonly #counted = new Map<string, number>();
  #open = 0;
  #refusing = 0;

  constructor(
    limits: ConnectionLimits,
    dependencies: { readonly clock: Clock } & Pick<DoorDependencies, 'localUser'>,
  ) {
    this.#limits = limits;
    this.#deps = dependencies;
  }

  limit(server: Server): void {
    const byTls = 'setSecureContext' in server;
    // Before the server's own listener, which begins to read requests.
    server.prependListener('connection', (raw: Socket) => this.#arrive(raw, byTls));
    if (!byTls) return;
    server.prependListener('secureConnection', (socket: Socket) => this.#shookHands(socket));
    // An answer would wait for ever for the end of a handshake that failed, and the connection with it.
    server.prependListener('tlsClientError', (_error: Error, socket: Socket) => socket.destroy());
  }

  /** Settles when it is known whether what comes on a connection is a request; null: it is known. */
  verdict(socket: Duplex): Promise<void> | null {
    return this.#callers.get(socket)?.verdict ?? null;
  }

  /** Whether a connection was refused: nothing that comes on it is a request. */
  isRefused(socket: Duplex): boolean {
    return (this.#callers.get(socket)?.refusal ?? null) !== null;
  }

  #arrive(raw: Socket, byTls: boolean): void {
    const { remoteAddress: address } = raw;
    // It has gone again.
    if (address === undefined) return void destroySoon(raw);
    const caller: Caller = { raw, speaker: byTls ? null : raw, refusal: null, verdict: null };
    if (byTls) this.#expectHandshake(caller);
    else this.#callers.set(raw, caller);
    const network = networkOf(address);
    const { maxConnections, maxConnectionsPerAddress } = this.#limits;
    const isLocal = isLoopback(address);
    if (!isLocal && (this.#counted.get(network) ?? 0) >= maxConnectionsPerAddress)
      return void this.#refuse(caller, `${network} has`);
    if (this.#open >= maxConnections + (isLocal ? ROOM_FOR_TRUSTED : 0))
      return void this.#refuse(caller, 'there are');
    const isBeyond = this.#open >= maxConnections;
    const leave = this.#enter(raw, network);
    if (isBeyond) caller.verdict = this.#judge(caller, leave);
  }

  async #judge(caller: Caller, leave: Cancel): Promise<void> {
    const user = await this.#deps.localUser(caller.raw).catch(() => null);
    caller.verdict = null;
    if (user !== null || caller.raw.destroyed) return;
    leave();
    this.#refuse(caller, 'there are');
  }

  #enter(raw: Socket, network: string): Cancel {
    this.#open += 1;
    this.#counted.set(network, (this.#counted.get(network) ?? 0) + 1);
    let isIn = true;
    const leave = (): void => {
      if (!isIn) return;
      isIn = false;
      this.#open -= 1;
      const left = (this.#counted.get(network) ?? 1) - 1;
      if (left === 0) this.#counted.delete(network);
      else this.#counted.set(network, left);
    };
    raw.once('close', leave);
    return leave;
  }

  #expectHandshake(caller: Caller): void {
    const ends = endsOf(caller.raw);
    this.#shakingHands.set(ends, caller);
    caller.raw.once('close', () => {
      if (this.#shakingHands.get(ends) === caller) this.#shakingHands.delete(ends);
    });
  }

  #shookHands(socket: Socket): void {
    const ends = endsOf(socket);
    const caller = this.#shakingHands.get(ends);
    if (caller === undefined) return void socket.destroy();
    this.#shakingHands.delete(ends);
    this.#callers.set(socket, caller);
    caller.speaker = socket;
    tell(caller);
  }

  #refuse(caller: Caller, whose: string): void {
    const { raw } = caller;
    const message = `${whose} too many connections to this node at a time: close some, or try again later`;
    caller.refusal = new ApiError('UNAVAILABLE', message, { 'retry-after': '5' });
    if (this.#refusing >= ROOM_TO_REFUSE) return void destroySoon(raw);
    this.#refusing += 1;
    // Closed at once with bytes unread, the connection would be reset, and the answer perhaps lost.
    const cancel = this.#deps.clock.after(LINGER_MS, () => raw.destroy());
    raw.once('close', () => {
      this.#refusing -= 1;
      cancel();
    });
    tell(caller);
  }
}

function tell({ speaker, refusal }: Caller): void {
  if (speaker === null || refusal === null) return;
  speaker.on('error', () => {});
  speaker.end(answerOf(refusal));
}

/** The server's own listeners expect a connection that is open. */
function destroySoon(raw: Socket): void {
  raw.on('error', () => {});
  setImmediate(() => raw.destroy());
}

const endsOf = ({ remoteAddress, remotePort, localAddress }: Socket): string =>
  `${remoteAddress} ${remotePort} ${localAddress}`;
