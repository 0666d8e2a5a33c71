/** What every route file is given, and what they share. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { NodeId } from '../../../protocols/schema/fields.ts';
import type { RestBackend } from '../backend.ts';
import { ApiError } from '../errors.ts';
import type { RestMetrics } from '../metrics.ts';
import type { RestOptions } from '../options.ts';
import type { Principal, RouteScope } from '../principal.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Any node answers this by itself; everything else goes to the master. */
    readonly local?: boolean;
    /** A small request whose Idempotency-Key makes it safe to send to the next master again. */
    readonly repeatable?: boolean;
    /** What a caller must be allowed. Every route says it; that of what isn't there is `read`. */
    readonly scope?: RouteScope;
    /** To what something is done, in brief and without secrets; for routes that the audit trail tells of. */
    readonly subject?: (request: FastifyRequest) => string;
  }
  interface FastifyRequest {
    /** Null before it is known, and of strangers on routes for anyone. */
    principal: Principal | null;
  }
}

export type App = FastifyInstance<
  Server,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

export interface RouteContext {
  readonly options: RestOptions;
  readonly backend: RestBackend;
  readonly metrics: RestMetrics;
  /** The member that sent a request over the mesh; null: it came in by this node's own door. */
  readonly senderOf: (request: FastifyRequest) => NodeId | null;
}

/** Aborts when the client hangs up before it was answered. */
export function clientSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller.signal;
}

/** The client's Idempotency-Key, checked; null without one. */
export function idempotencyKey(request: FastifyRequest): string | null {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return null;
  if (typeof key === 'string' && /^[\x20-\x7e]{1,255}$/.test(key)) return key;
  throw new ApiError('BAD_REQUEST', 'Idempotency-Key must be 1 to 255 printable ASCII characters');
}
