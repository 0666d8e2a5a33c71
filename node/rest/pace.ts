/**
 * Ends exchanges whose client is too slow: a body that drips, an answer that nobody takes. Each holds a connection, and
 * some a place in a queue or a follower of output, for as long as the client likes. What counts is what the client
 * does: while we are the ones who don't read or have nothing to say, no time passes.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Cancel, Clock } from '../ports.ts';

export interface PaceOptions {
  /** In this time, bytes of `slowestBytesPerSecond` have to come, or go. */
  readonly bodyPatienceMs: number;
  /** The same for answers; longer, because people read at a terminal that they may stop. */
  readonly answerPatienceMs: number;
  readonly slowestBytesPerSecond: number;
}

/** Bytes that went one way until a moment. */
interface Mark {
  readonly bytes: number;
  readonly atMs: number;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  read: Mark;
  taken: Mark;
}

export class Pace {
  readonly #options: PaceOptions;
  readonly #clock: Clock;
  readonly #onSlow: (exchange: Pick<Exchange, 'request' | 'response'>, what: 'body' | 'answer') => void;
  readonly #exchanges = new Set<Exchange>();
  #cancel: Cancel = () => {};

  constructor(
    options: PaceOptions,
    dependencies: {
      readonly clock: Clock;
      /** Ends the exchange. */
      readonly onSlow: (exchange: Pick<Exchange, 'request' | 'response'>, what: 'body' | 'answer') => void;
    },
  ) {
    this.#options = options;
    this.#clock = dependencies.clock;
    this.#onSlow = dependencies.onSlow;
  }

  start(): void {
    const { bodyPatienceMs, answerPatienceMs } = this.#options;
    this.#cancel = this.#clock.every(Math.min(bodyPatienceMs, answerPatienceMs) / 4, () => this.#look());
  }

  /** Returns what ends it. Of a request that doesn't come from a socket nothing is known: it is left alone. */
  watch(request: IncomingMessage, response: ServerResponse): Cancel {
    const atMs = this.#clock.monotonicMs();
    const { bytesRead, bytesWritten } = request.socket;
    if (bytesRead === undefined) return () => {};
    const exchange = {
      request,
      response,
      read: { bytes: bytesRead, atMs },
      taken: { bytes: bytesWritten, atMs },
    };
    this.#exchanges.add(exchange);
    return () => void this.#exchanges.delete(exchange);
  }

  stop(): void {
    this.#cancel();
    this.#exchanges.clear();
  }

  #look(): void {
    const { bodyPatienceMs, answerPatienceMs } = this.#options;
    for (const exchange of this.#exchanges) {
      const { request, response } = exchange;
      const { socket } = request;
      // Bytes that wait here for whoever reads the body are no fault of the client.
      const reads = !request.complete && request.readableLength === 0;
      exchange.read = this.#move(exchange.read, socket.bytesRead, reads, bodyPatienceMs, () =>
        this.#onSlow(exchange, 'body'),
      );
      // A socket counts what was written to it; what nobody took yet is still its own.
      const gone = socket.bytesWritten - socket.writableLength;
      const takes = response.headersSent && socket.writableLength > 0;
      exchange.taken = this.#move(exchange.taken, gone, takes, answerPatienceMs, () =>
        this.#onSlow(exchange, 'answer'),
      );
    }
  }

  /** The mark to go on with. */
  #move(mark: Mark, bytes: number, counts: boolean, patienceMs: number, slow: () => void): Mark {
    const atMs = this.#clock.monotonicMs();
    if (!counts) return { bytes, atMs };
    const passedMs = atMs - mark.atMs;
    if (passedMs < patienceMs) return mark;
    if (bytes - mark.bytes < (this.#options.slowestBytesPerSecond * passedMs) / 1000) slow();
    return { bytes, atMs };
  }
}
