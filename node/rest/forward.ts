/**
 * Sends what only the master can answer to the master, and answers as it does. When the master is lost before it
 * answered, requests that may be repeated (reads; small JSON requests, by their Idempotency-Key) wait for the next
 * master and are sent again, so that the client sees one answer.
 */
import type { Duplex, Readable } from 'node:stream';
import { Readable as ReadableStream } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { pause } from '../pause.ts';
import type { Cancel, Clock, Logger, Random } from '../ports.ts';
import type { Authority, RestBackend } from './backend.ts';
import { ApiError, JSON_TOO_LARGE, noMaster } from './errors.ts';
import { hasBody, loggable } from './http-headers.ts';
import { drainRest } from './linger.ts';
import type { RestOptions } from './options.ts';
import { type RelayOutcome, relay } from './relay.ts';
import { clientSignal } from './routes/context.ts';

type Other = Extract<Authority, { kind: 'other' }>;

export interface ForwarderDependencies {
  readonly backend: RestBackend;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  /** Told how each attempt ended. */
  readonly onAttempt: (outcome: RelayOutcome | 'unreachable') => void;
}

/** One request on its way through this node. */
interface Passage {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** A buffer can be sent again, a stream can't. */
  readonly body: Buffer | Readable | null;
  readonly repeatable: boolean;
  readonly key: string | null;
}

export class Forwarder {
  readonly #options: RestOptions;
  readonly #deps: ForwarderDependencies;

  constructor(options: RestOptions, dependencies: ForwarderDependencies) {
    this.#options = options;
    this.#deps = dependencies;
  }

  /**
   * Returns the body to go on with when this node itself turned out to be master meanwhile; otherwise the reply is
   * hijacked and answered. Throws NO_MASTER when there is nobody to answer.
   */
  async forward(
    request: FastifyRequest,
    reply: FastifyReply,
    payload: Readable,
  ): Promise<Readable | undefined> {
    const passage = await this.#prepare(request, reply, payload);
    const { clock } = this.#deps;
    const hungUp = clientSignal(reply);
    let deadline = clock.monotonicMs() + this.#options.masterWaitMs;
    for (let first = true; ; first = false) {
      const begunAtMs = clock.monotonicMs();
      const authority = this.#deps.backend.authority();
      if (authority.kind === 'self') return this.#serveHere(passage, payload);
      if (authority.kind === 'none' && (first || this.#isPast(deadline))) {
        throw noMaster(authority.reason, authority.retryAfterSeconds);
      }
      if (authority.kind === 'other') {
        const failure = await this.#attempt(authority, passage);
        if (failure === null) return undefined;
        // A run may have gone on for long before its master was lost: the wait for the next begins now.
        const lastedMs = clock.monotonicMs() - begunAtMs;
        if (lastedMs > this.#options.masterWaitMs / 10)
          deadline = begunAtMs + lastedMs + this.#options.masterWaitMs;
        if (!failure.repeatable || this.#isPast(deadline)) throw unreachable(authority);
      }
      await pause(clock, this.#options.masterPollMs, hungUp);
      if (reply.raw.destroyed) return this.#giveUp(passage);
    }
  }

  async #prepare(request: FastifyRequest, reply: FastifyReply, payload: Readable): Promise<Passage> {
    const config = request.routeOptions.config;
    const base = { request, reply };
    if (!hasBody(request.raw)) {
      const safe = request.method === 'GET' || request.method === 'HEAD';
      return { ...base, body: null, repeatable: safe, key: null };
    }
    if (config.repeatable !== true) return { ...base, body: payload, repeatable: false, key: null };
    const given = request.headers['idempotency-key'];
    const key = typeof given === 'string' ? given : this.#deps.random.id();
    return { ...base, body: await collect(payload, this.#options.maxBodyBytes), repeatable: true, key };
  }

  /** Null when the request is dealt with. */
  async #attempt(master: Other, passage: Passage): Promise<{ readonly repeatable: boolean } | null> {
    const { request, reply } = passage;
    const { stream: opening, unwatch } = this.#open(master, reply);
    try {
      const stream = await opening;
      if (stream === null) {
        this.#deps.onAttempt('unreachable');
        // Nothing was sent yet: safe to try again whatever it is.
        return { repeatable: true };
      }
      const outcome = await relay(stream, {
        request: request.raw,
        response: reply.raw,
        body: passage.body,
        extraHeaders: passage.key === null ? {} : { 'idempotency-key': passage.key },
        authorization: request.principal?.trusted ? null : (request.headers.authorization ?? null),
        servedBy: master.master,
        onAnswer: () => {
          unwatch();
          reply.hijack();
        },
      });
      this.#deps.onAttempt(outcome);
      return this.#conclude(outcome, master, passage);
    } finally {
      unwatch();
    }
  }

  #conclude(outcome: RelayOutcome, master: Other, passage: Passage): { readonly repeatable: boolean } | null {
    if (outcome === 'answered') {
      drainRest(passage.request.raw, this.#deps.clock, this.#options.lingerMs);
      return null;
    }
    if (outcome === 'gone') {
      this.#giveUp(passage);
      return null;
    }
    const url = loggable(passage.request.url);
    this.#deps.logger.debug({ master: master.master, url, outcome }, 'forward failed');
    return { repeatable: passage.repeatable };
  }

  /** Ends an attempt when its master is no longer ours to ask: a dead machine doesn't close its connections. */
  #open(
    master: Other,
    reply: FastifyReply,
  ): { readonly stream: Promise<Duplex | null>; readonly unwatch: Cancel } {
    const opening = master.open().catch(() => null);
    let giveUp = () => {};
    const lost = new Promise<null>((resolve) => {
      giveUp = () => resolve(null);
    });
    const unwatch = this.#deps.clock.every(this.#options.masterPollMs, () => {
      const now = this.#deps.backend.authority();
      if (now.kind === 'other' && now.master === master.master && !reply.raw.destroyed) return;
      giveUp();
      // Open already, or opened when nobody waits for it any more.
      void opening.then((stream) => stream?.on('error', () => {}).destroy());
    });
    return { stream: Promise.race([opening, lost]), unwatch };
  }

  #serveHere(passage: Passage, payload: Readable): Readable {
    if (!Buffer.isBuffer(passage.body)) return payload;
    if (passage.key !== null) passage.request.raw.headers['idempotency-key'] = passage.key;
    return ReadableStream.from([passage.body], { objectMode: false });
  }

  #giveUp({ reply }: Passage): undefined {
    reply.hijack();
    reply.raw.destroy();
  }

  #isPast(deadline: number): boolean {
    return this.#deps.clock.monotonicMs() >= deadline;
  }
}

const unreachable = (master: Other): ApiError =>
  noMaster(`the master (${master.master}) was lost before it answered; try again when there is a new one`);

async function collect(payload: Readable, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  // Not `for await`: leaving it early would destroy the request and with it the answer.
  await new Promise<void>((resolve, reject) => {
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      chunks.push(chunk);
      if (size <= limit) return;
      payload.off('data', onData);
      reject(new ApiError('TOO_LARGE', JSON_TOO_LARGE));
    };
    payload.on('data', onData);
    payload.once('end', resolve);
    payload.once('error', reject);
    payload.once('close', () => reject(new ApiError('BAD_REQUEST', 'the body ended early')));
  });
  return Buffer.concat(chunks, size);
}
