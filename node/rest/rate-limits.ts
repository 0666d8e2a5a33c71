/**
 * How often each caller may ask, so that none takes the node from the others: bearers by their token, strangers by their
 * address, members by their key for all whom they pass requests on for. Trusted users of this machine may ask as
 * often as they like: they could stop the node as well.
 */
import rateLimit from '@fastify/rate-limit';
import type { FastifyRequest } from 'fastify';
import type { NodeId } from '../../protocols/schema/fields.ts';
import { networkOf } from '../addresses.ts';
import { ApiError } from './errors.ts';
import type { App } from './routes/context.ts';

/** Long enough for a burst, such as a page that is drawn anew; short enough to wait for. */
const WINDOW_MS = 5_000;
/** A member passes on what many callers ask, each of whom its own node has counted. */
const MEMBER_FACTOR = 20;
/** Counters at a time; the one that wasn't used for longest goes. */
const MOST_CALLERS = 5_000;
/** Counted by themselves: who asks too much else shall still be seen to be in trouble. */
const WATCHED: ReadonlySet<string> = new Set(['/healthz', '/metrics']);
/** Answered to anyone, with a word. */
const BRIEF = '/healthz';

export interface RateLimitOptions {
  /** Requests a second; null: any number. */
  readonly rateLimit: number | null;
}

export class RateLimits {
  readonly #perWindow: number;
  readonly #senderOf: (request: FastifyRequest) => NodeId | null;
  readonly #limits = new WeakMap<FastifyRequest, { readonly key: string; readonly max: number }>();
  #count: ReturnType<App['createRateLimit']> | null = null;

  constructor(
    { rateLimit: perSecond }: RateLimitOptions,
    dependencies: { readonly app: App; readonly senderOf: (request: FastifyRequest) => NodeId | null },
  ) {
    this.#perWindow = ((perSecond ?? 0) * WINDOW_MS) / 1000;
    this.#senderOf = dependencies.senderOf;
    if (perSecond === null) return;
    const { app } = dependencies;
    app.register(rateLimit, { global: false, cache: MOST_CALLERS });
    app.after(() => {
      this.#count = app.createRateLimit({
        keyGenerator: (request) => this.#limits.get(request)?.key ?? '',
        max: (request) => this.#limits.get(request)?.max ?? 0,
        timeWindow: WINDOW_MS,
      });
    });
  }

  /**
   * Of who shows no token. The brief answer of /healthz costs less than a refusal, and behind a proxy all have one
   * address: counted, a flood of strangers would have the proxy take the node for broken. @throws ApiError RATE_LIMITED
   */
  async countUnnamed(request: FastifyRequest): Promise<void> {
    if (request.routeOptions.url !== BRIEF) await this.countStranger(request);
  }

  /**
   * Of who isn't known, or has shown a wrong token. A right one is never refused for the wrong ones that came from its
   * address: behind a proxy all have the same.
   * @throws ApiError RATE_LIMITED
   */
  async countStranger(request: FastifyRequest): Promise<void> {
    const sender = this.#senderOf(request);
    const address = networkOf(request.raw.socket.remoteAddress ?? '');
    if (sender === null) await this.#check(request, `address ${address}`);
    else await this.#check(request, `member ${sender}`, MEMBER_FACTOR);
  }

  /** Of who is known by now. @throws ApiError RATE_LIMITED */
  async countKnown(request: FastifyRequest): Promise<void> {
    const sender = this.#senderOf(request);
    if (sender !== null) return this.#check(request, `member ${sender}`, MEMBER_FACTOR);
    const tokenId = request.principal?.tokenId ?? null;
    if (tokenId !== null) await this.#check(request, `token ${tokenId}`);
  }

  async #check(request: FastifyRequest, who: string, factor = 1): Promise<void> {
    if (this.#count === null) return;
    const watch = WATCHED.has(request.routeOptions.url ?? '') ? ' watch' : '';
    this.#limits.set(request, { key: who + watch, max: this.#perWindow * factor });
    const counted = await this.#count(request);
    if (counted.isAllowed || !counted.isExceeded) return;
    const seconds = Math.max(1, counted.ttlInSeconds);
    const message = `too many requests at a time: ${counted.max} in ${WINDOW_MS / 1000} s is the most (--rate-limit); go on in ${seconds} s`;
    throw new ApiError('RATE_LIMITED', message, { 'retry-after': String(seconds) });
  }
}
