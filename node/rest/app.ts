/** The fastify application: hooks in their order, routes, and what is answered when something is wrong. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { Clock, Logger } from '../ports.ts';
import { VERSION } from '../version.ts';
import { checkConfig, recordDeeds } from './audit.ts';
import { checkScope, type DoorDependencies, identify, needsToken } from './auth.ts';
import { ApiError, answerAtOnce, noMaster, toApiError } from './errors.ts';
import type { Forwarder } from './forward.ts';
import { loggable, NOT_MASTER_HEADER } from './http-headers.ts';
import { drainRest } from './linger.ts';
import { registerOpenApi } from './openapi.ts';
import { RateLimits } from './rate-limits.ts';
import { clusterRoutes } from './routes/cluster.ts';
import type { App, RouteContext } from './routes/context.ts';
import { executionRoutes } from './routes/execution.ts';
import { predictorRoutes } from './routes/predictor.ts';
import { runRoutes } from './routes/runs.ts';
import { serviceRoutes } from './routes/service.ts';
import { taskRoutes } from './routes/tasks.ts';
import { tokenRoutes } from './routes/tokens.ts';
import { saysTooLarge, tooLarge } from './upload.ts';
import { serializerCompiler, validatorCompiler } from './validation.ts';

export interface AppContext extends RouteContext, Pick<DoorDependencies, 'localUser'> {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly forwarder: Forwarder;
  /** Makes the server that the public connects to. */
  readonly serverFactory: (handler: (request: IncomingMessage, response: ServerResponse) => void) => Server;
  /** Whether the connection must be closed after the answer. */
  readonly mustClose: (request: IncomingMessage) => boolean;
}

export function buildApp(context: AppContext): App {
  const { options } = context;
  let admit: Admission;
  const app: App = fastify<Server>({
    serverFactory: context.serverFactory,
    bodyLimit: options.maxBodyBytes,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 512 },
    // Keeps fastify from loading Ajv and fast-json-stringify, which it would never use.
    schemaController: { compilersFactory: { buildValidator: unused, buildSerializer: unused } },
    clientErrorHandler: answerBrokenRequest,
    // Of a path that no route is looked up for, so that no hook runs: whoever sends one is known and counted as well.
    frameworkErrors: async (error, request, reply) =>
      refuse(
        context,
        request,
        reply,
        await admit(request, reply).then(
          () => error,
          (refusal) => refusal,
        ),
      ),
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.removeAllContentTypeParsers();
  addJsonParsers(app);
  app.setErrorHandler((error, request, reply) => refuse(context, request, reply, error));
  app.setNotFoundHandler((request, reply) => {
    const message = `there is nothing at ${request.method} ${path(request)}; GET /openapi.json describes this API`;
    return refuse(context, request, reply, new ApiError('NOT_FOUND', message));
  });
  admit = admission(app, context);
  addHooks(app, context, admit);
  registerOpenApi(app, VERSION);
  app.addHook('onRoute', checkConfig);
  const methods = collectMethods(app);
  // Registered after the document's plugin, which learns of routes as they are added.
  app.after(() => {
    for (const add of [
      serviceRoutes,
      taskRoutes,
      executionRoutes,
      runRoutes,
      clusterRoutes,
      predictorRoutes,
      tokenRoutes,
    ])
      add(app, context);
    app.after(() => refuseOtherMethods(app, methods));
  });
  return app;
}

const unused = (): never => {
  throw new Error('replaced by setValidatorCompiler and setSerializerCompiler');
};

const path = (request: FastifyRequest): string => request.url.split('?', 1)[0] as string;

type Admission = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/** Makes known who asks, and refuses who may not, or asks too often. */
function admission(app: App, context: AppContext): Admission {
  const { options } = context;
  const rates = new RateLimits(options, { app, senderOf: context.senderOf });
  return async (request, reply) => {
    const startedAtMs = context.clock.monotonicMs();
    reply.raw.once('close', () => {
      const status = reply.raw.writableFinished ? reply.raw.statusCode : 499;
      const seconds = (context.clock.monotonicMs() - startedAtMs) / 1000;
      const route = request.routeOptions.url ?? 'unknown';
      context.metrics.observeRequest(request.method, route, status, seconds);
      const line = {
        method: request.method,
        // Computed only where the line is written.
        get url() {
          return loggable(request.url);
        },
        status,
        seconds,
      };
      context.logger.debug(line, 'request');
    });
    if (saysTooLarge(request.headers, options.maxUploadBytes)) throw tooLarge(options.maxUploadBytes);
    let counted: Promise<void> | null = null;
    const countStranger = () => (counted ??= rates.countStranger(request));
    request.principal = await identify(request, options, context, countStranger).catch(
      async (error: unknown) => {
        await countStranger();
        throw error;
      },
    );
    const { scope = 'read' } = request.routeOptions.config;
    if (request.principal === null) await rates.countUnnamed(request);
    else await rates.countKnown(request);
    if (scope === 'anyone') return;
    if (request.principal === null) throw needsToken();
    checkScope(request.principal, scope);
  };
}

function addHooks(app: App, context: AppContext, admit: Admission): void {
  const { backend, forwarder, options } = context;
  app.decorateRequest('principal', null);
  app.addHook('onRequest', admit);

  // Before the body is parsed: it may be on its way to another machine. A returned stream takes the body's place.
  app.addHook('preParsing', async (request, reply, payload) => {
    if (request.is404 || request.routeOptions.config.local === true) return payload;
    const authority = backend.authority();
    if (authority.kind === 'self') return payload;
    // Never twice: two nodes that each believe in the other would send it in circles.
    if (context.senderOf(request) !== null) throw noMaster('this node is not master any more; ask again');
    if (authority.kind === 'none') throw noMaster(authority.reason, authority.retryAfterSeconds);
    return (await forwarder.forward(request, reply, payload as IncomingMessage)) ?? payload;
  });

  recordDeeds(app, context);

  app.addHook('onSend', async (request, reply) => {
    if (context.mustClose(request.raw)) {
      reply.header('connection', 'close');
    } else if (!request.raw.complete) {
      // fastify would close at once after a bad body.
      reply.removeHeader('connection');
      drainRest(request.raw, context.clock, options.lingerMs);
    }
  });
}

function refuse(
  context: AppContext,
  request: FastifyRequest,
  reply: FastifyReply,
  error: unknown,
): FastifyReply {
  const known = toApiError(error);
  if (known === null)
    context.logger.error(
      { err: error, method: request.method, url: loggable(request.url) },
      'request failed',
    );
  const shown =
    known ?? new ApiError('INTERNAL', 'this node failed to answer; its log has the cause, try again later');
  if (shown.code === 'NO_MASTER' && context.senderOf(request) !== null) reply.header(NOT_MASTER_HEADER, '1');
  return reply
    .code(shown.statusCode)
    .headers(shown.headers)
    .type('application/json; charset=utf-8')
    .send(shown.toJSON());
}

/** `curl -d` without a header says application/x-www-form-urlencoded, and some clients say nothing at all. */
function addJsonParsers(app: App): void {
  const parse = (
    _request: FastifyRequest,
    body: string | Buffer,
    done: (error: Error | null, body?: unknown) => void,
  ) => {
    const text = String(body);
    if (text.trim() === '') return done(null, undefined);
    try {
      done(null, JSON.parse(text));
    } catch {
      done(new ApiError('BAD_REQUEST', 'the body is not valid JSON'));
    }
  };
  app.addContentTypeParser(
    ['application/json', 'application/x-www-form-urlencoded'],
    { parseAs: 'string' },
    parse,
  );
  app.addContentTypeParser('*', { parseAs: 'string' }, (request, body, done) => {
    if (request.is404) return done(null, undefined);
    if (request.headers['content-type'] === undefined) return parse(request, body, done);
    const message = 'the body must be JSON: send it with "Content-Type: application/json"';
    done(new ApiError('UNSUPPORTED_MEDIA_TYPE', message));
  });
}

function collectMethods(app: App): Map<string, Set<string>> {
  const methods = new Map<string, Set<string>>();
  app.addHook('onRoute', (route) => {
    const known = methods.get(route.url) ?? new Set();
    for (const method of [route.method].flat()) known.add(method);
    methods.set(route.url, known);
  });
  return methods;
}

function refuseOtherMethods(app: App, methods: ReadonlyMap<string, ReadonlySet<string>>): void {
  const all = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
  for (const [url, allowed] of [...methods]) {
    const allow = [...allowed].sort().join(', ');
    const refuseMethod = async (request: FastifyRequest) => {
      const message = `${request.method} is not possible at ${path(request)}; possible: ${allow}`;
      throw new ApiError('METHOD_NOT_ALLOWED', message, { allow });
    };
    app.route({
      method: all.filter((method) => !allowed.has(method)),
      url,
      config: { local: true, scope: 'read' },
      schema: { hide: true },
      onRequest: refuseMethod,
      handler: refuseMethod,
    });
  }
}

/** What isn't HTTP, or too slow, or too long, before there is a request to answer. */
export function answerBrokenRequest(error: Error & { code?: string }, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const shown =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? new ApiError('REQUEST_TIMEOUT', 'the request took too long to arrive')
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? new ApiError('HEADERS_TOO_LARGE', 'the headers are too large')
        : new ApiError('BAD_REQUEST', 'this is not a valid HTTP request');
  answerAtOnce(socket, shown);
}
