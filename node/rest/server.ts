/**
 * The REST server of one node. Two HTTP servers feed one fastify application: the public one, and an internal one
 * that listens nowhere and is handed the byte streams on which other members forward requests.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { NodeId } from '../../protocols/schema/fields.ts';
import { unbracket } from '../addresses.ts';
import type { Cancel, Clock, Logger, Random } from '../ports.ts';
import { answerBrokenRequest, buildApp } from './app.ts';
import type { DoorDependencies } from './auth.ts';
import type { RestBackend } from './backend.ts';
import { Connections } from './connections.ts';
import { ApiError, answerAtOnce } from './errors.ts';
import { Forwarder } from './forward.ts';
import { RestMetrics } from './metrics.ts';
import { type RestOptions, restDefaults } from './options.ts';
import { Pace } from './pace.ts';
import type { App } from './routes/context.ts';
import { certificateTrouble, loadTls, TlsError, type TlsFiles, type TlsPair } from './tls.ts';
import { saysTooLarge } from './upload.ts';

export class RestServerError extends Error {
  override readonly name = 'RestServerError';
  readonly code: 'TLS' | 'LISTEN_FAILED' | 'STOPPED';

  constructor(code: RestServerError['code'], message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

export interface RestDependencies extends Pick<DoorDependencies, 'localUser'> {
  readonly backend: RestBackend;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
}

export interface RestServer extends AsyncDisposable {
  /** Listens. Throws `RestServerError`: TLS, LISTEN_FAILED, STOPPED. */
  start(): Promise<{ readonly host: string; readonly port: number }>;
  /** Lets requests in progress finish for `stopTimeoutMs`, then breaks them off. */
  stop(): Promise<void>;
  /** Serves the HTTP requests that a member sends on this stream; owns the stream. */
  acceptForwarded(stream: Duplex, from: NodeId): void;
  /**
   * Reads certificate and key again, if there are any, and shows them to whoever connects from now on; connections
   * that are open stay. A pair that is no good leaves the old one in place, and is told in the log.
   */
  reloadTls(): Promise<void>;
  /** What is wrong with the certificate, for the operator; null: nothing, or there is none. */
  certificateTrouble(): string | null;
  /** `http://HOST:PORT` or `https://HOST:PORT`; empty before `start()`. */
  readonly url: string;
}

/** How often it is looked whether the certificate is about to expire. */
const EXPIRY_PERIOD_MS = 12 * 3_600_000;

/** Requests that a client may send on a connection before the one in progress is answered; hardly any sends one. */
const MOST_WAITING = 8;

export const createRestServer = (options: Partial<RestOptions>, dependencies: RestDependencies): RestServer =>
  new FastifyRestServer({ ...restDefaults, ...options }, dependencies);

/** The client is told where it hasn't been told anything yet. */
function endSlow(
  { request, response }: { readonly request: IncomingMessage; readonly response: ServerResponse },
  what: 'body' | 'answer',
): void {
  const { socket } = request;
  if (what === 'answer' || response.headersSent || !socket.writable) socket.destroy();
  else
    answerAtOnce(socket, new ApiError('REQUEST_TIMEOUT', 'the body comes too slowly: send it again, faster'));
}

class FastifyRestServer implements RestServer {
  readonly #options: RestOptions;
  readonly #deps: RestDependencies;
  readonly #app: App;
  readonly #senders = new WeakMap<Duplex, NodeId>();
  /** Requests that were refused without `100 Continue`: what follows on their connection can't be told apart. */
  readonly #refused = new WeakSet<IncomingMessage>();
  readonly #streams = new Set<Duplex>();
  readonly #pace: Pace;
  readonly #connections: Connections;
  /** How many requests of a connection wait for those before them. */
  readonly #waiting = new WeakMap<Duplex, number>();
  #inProgress = 0;
  #whenIdle = () => {};
  #public!: Server;
  readonly #internal: Server;
  #state: 'new' | 'serving' | 'stopping' = 'new';
  #stopped: Promise<void> | null = null;
  #url = '';
  #tls: TlsPair | null = null;
  #stopWatching: Cancel = () => {};

  constructor(options: RestOptions, dependencies: RestDependencies) {
    const { backend, logger, clock, random, localUser } = dependencies;
    this.#options = options;
    this.#deps = dependencies;
    this.#pace = new Pace(options, { clock, onSlow: endSlow });
    this.#connections = new Connections(options, { clock, localUser });
    const metrics = new RestMetrics(backend);
    const onAttempt = (outcome: string) => metrics.countForward(outcome);
    this.#app = buildApp({
      options,
      backend,
      metrics,
      logger,
      clock,
      forwarder: new Forwarder(options, { backend, logger, clock, random, onAttempt }),
      localUser,
      // Over the mesh, a stream stands in the place of the socket.
      senderOf: ({ raw }) => this.#senders.get(raw.socket) ?? null,
      mustClose: (request) => this.#state === 'stopping' || this.#refused.has(request),
      serverFactory: (handler) => {
        this.#public = this.#createServer(handler, options.tls !== null);
        this.#connections.limit(this.#public);
        return this.#public;
      },
    });
    this.#internal = this.#createServer((request, response) => this.#app.routing(request, response), false);
    this.#internal.on('clientError', answerBrokenRequest);
  }

  get url(): string {
    return this.#url;
  }

  async start(): Promise<{ readonly host: string; readonly port: number }> {
    const { host, port, tls } = this.#options;
    if (this.#state !== 'new') throw new RestServerError('STOPPED', 'a REST server starts once');
    if (tls !== null) await this.#startTls(tls);
    await this.#app.ready();
    await this.#listen(unbracket(host), port);
    this.#state = 'serving';
    this.#pace.start();
    const address = this.#public.address() as AddressInfo;
    const shown = address.family === 'IPv6' ? `[${address.address}]` : address.address;
    this.#url = `${tls === null ? 'http' : 'https'}://${shown}:${address.port}`;
    return { host: address.address, port: address.port };
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#close();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async reloadTls(): Promise<void> {
    const { tls } = this.#options;
    if (tls === null || this.#state !== 'serving') return;
    const { logger } = this.#deps;
    try {
      const pair = await loadTls(tls);
      const trouble = certificateTrouble(pair, this.#deps.clock.nowMs());
      if (trouble?.refused) throw new TlsError('CERTIFICATE', trouble.message);
      this.#show(pair);
      logger.info({ validTo: new Date(pair.validToMs).toISOString() }, 'certificate loaded again');
      if (trouble !== null) logger.warn({}, trouble.message);
    } catch (error) {
      if (!(error instanceof TlsError)) throw error;
      logger.error({ err: error }, `the certificate of before is kept: ${error.message}`);
    }
  }

  certificateTrouble(): string | null {
    return this.#tls && (certificateTrouble(this.#tls, this.#deps.clock.nowMs())?.message ?? null);
  }

  acceptForwarded(stream: Duplex, from: NodeId): void {
    if (this.#state !== 'serving') {
      stream.destroy();
      return;
    }
    this.#streams.add(stream);
    this.#senders.set(stream, from);
    stream.on('error', (error) => this.#deps.logger.debug({ err: error }, 'forwarded stream failed'));
    stream.once('close', () => this.#streams.delete(stream));
    this.#internal.emit('connection', stream);
  }

  async #startTls(files: TlsFiles): Promise<void> {
    const { clock, logger } = this.#deps;
    try {
      this.#show(await loadTls(files));
    } catch (error) {
      if (error instanceof TlsError) throw new RestServerError('TLS', error.message, error);
      throw error;
    }
    // A node with an expired certificate is still a member that runs functions: it starts.
    const look = (): void => {
      const trouble = this.#tls && certificateTrouble(this.#tls, clock.nowMs());
      if (trouble?.refused) logger.error({}, trouble.message);
      else if (trouble) logger.warn({}, trouble.message);
    };
    look();
    this.#stopWatching = clock.every(EXPIRY_PERIOD_MS, look);
  }

  #show(pair: TlsPair): void {
    this.#tls = pair;
    (this.#public as HttpsServer).setSecureContext(pair.secureContext);
  }

  #createServer(handler: (request: IncomingMessage, response: ServerResponse) => void, tls: boolean): Server {
    const { headersTimeoutMs, requestTimeoutMs, keepAliveMs, maxUploadBytes } = this.#options;
    const serve = (request: IncomingMessage, response: ServerResponse) => {
      const { socket } = request;
      if (response.socket === null) return this.#awaitTurn(socket, response, () => serve(request, response));
      const verdict = this.#connections.verdict(socket);
      if (verdict !== null) return void verdict.then(() => serve(request, response));
      if (socket.destroyed || this.#connections.isRefused(socket)) return;
      this.#inProgress += 1;
      const unwatch = this.#pace.watch(request, response);
      response.once('close', () => {
        unwatch();
        this.#inProgress -= 1;
        if (this.#inProgress === 0) this.#whenIdle();
      });
      handler(request, response);
    };
    const limits = {
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: keepAliveMs,
      connectionsCheckingInterval: Math.min(5_000, headersTimeoutMs),
    };
    const server = tls
      ? createHttpsServer({ ...limits, handshakeTimeout: headersTimeoutMs }, serve)
      : createServer(limits, serve);
    // A client that asks first is told "too large" before it sends a byte.
    server.on('checkContinue', (request, response) => {
      if (saysTooLarge(request.headers, maxUploadBytes)) this.#refused.add(request);
      else response.writeContinue();
      serve(request, response);
    });
    return server;
  }

  /**
   * One request of a connection is in progress at a time. Those that were sent before it was answered (pipelined) would
   * go on without end: Node tells of the end of a connection only the answer that is being written to it.
   */
  #awaitTurn(socket: Duplex, response: ServerResponse, begin: () => void): void {
    const waiting = this.#waiting.get(socket) ?? 0;
    if (waiting === MOST_WAITING) return void socket.destroy();
    this.#waiting.set(socket, waiting + 1);
    response.once('socket', () => {
      this.#waiting.set(socket, (this.#waiting.get(socket) ?? 1) - 1);
      begin();
    });
  }

  #listen(host: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException) => {
        const what =
          error.code === 'EADDRINUSE' ? 'something else listens there; choose another --rest' : error.message;
        reject(new RestServerError('LISTEN_FAILED', `REST can't listen on ${host}:${port}: ${what}`, error));
      };
      this.#public.once('error', onError);
      this.#public.listen({ host, port }, () => {
        this.#public.off('error', onError);
        resolve();
      });
    });
  }

  async #close(): Promise<void> {
    const wasServing = this.#state === 'serving';
    this.#stopWatching();
    this.#pace.stop();
    this.#state = 'stopping';
    if (wasServing) {
      const closed = new Promise<void>((resolve) => this.#public.close(() => resolve()));
      this.#public.closeIdleConnections();
      await this.#idle();
      this.#public.closeAllConnections();
      for (const stream of this.#streams) stream.destroy();
      await closed;
    }
    await this.#app.close();
  }

  /** Resolves when no request is in progress, at the latest after `stopTimeoutMs`. */
  #idle(): Promise<void> {
    if (this.#inProgress === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.#deps.clock.after(this.#options.stopTimeoutMs, resolve);
      this.#whenIdle = () => {
        cancel();
        resolve();
      };
    });
  }
}
