/** Tokens of both kinds, and the audit trail. */
import type { Static } from 'typebox';
import type { TokenRequest } from '../../master/requests.ts';
import { ApiError, unwrap } from '../errors.ts';
import { toJson } from '../json.ts';
import { masterErrors } from '../schemas/fields.ts';
import {
  AuditQuery,
  AuditTrail,
  DEFAULT_TTL,
  MadeAnswer,
  presentMade,
  presentToken,
  TokenAnswer,
  TokenBody,
  TokenList,
  TokenParams,
} from '../schemas/tokens.ts';
import type { App, RouteContext } from './context.ts';

const tags = ['access'];
const scope = 'admin';
/** No cache on the way may keep a secret. */
const NEVER_KEPT = { 'cache-control': 'no-store' };

export function tokenRoutes(app: App, { backend }: RouteContext): void {
  app.route({
    method: 'GET',
    url: '/tokens',
    config: { scope },
    schema: {
      operationId: 'listTokens',
      tags,
      summary: 'List the tokens',
      response: { 200: TokenList, ...masterErrors() },
    },
    handler: async () => ({ tokens: backend.tokens().map(presentToken) }),
  });

  app.route({
    method: 'POST',
    url: '/tokens',
    config: {
      scope,
      subject: ({ body }) => {
        const { kind, name, scope: of, role } = body as Static<typeof TokenBody>;
        return [kind, of ?? role, name && JSON.stringify(name)].filter(Boolean).join(' ');
      },
    },
    schema: {
      operationId: 'createToken',
      tags,
      summary: 'Make a token',
      description: 'Not to be repeated: who lost the answer makes another one, and revokes this one.',
      body: TokenBody,
      response: { 201: MadeAnswer, ...masterErrors(400, 409, 413, 415) },
    },
    handler: async ({ body, principal }, reply) => {
      const made = unwrap(await backend.createToken(toRequest(body), principal?.who ?? 'nobody'));
      return reply.code(201).headers(NEVER_KEPT).send(presentMade(made));
    },
  });

  app.route({
    method: 'POST',
    url: '/tokens/:id/rotate',
    config: { scope, subject: ({ params }) => (params as Static<typeof TokenParams>).id },
    schema: {
      operationId: 'rotateToken',
      tags,
      summary: 'Put another token in the place of one',
      description:
        'It has the same properties and holds as long from now on; the old one is revoked at once.',
      params: TokenParams,
      response: { 201: MadeAnswer, ...masterErrors(400, 404, 409) },
    },
    handler: async ({ params, principal }, reply) => {
      const made = unwrap(await backend.rotateToken(params.id, principal?.who ?? 'nobody'));
      return reply.code(201).headers(NEVER_KEPT).send(presentMade(made));
    },
  });

  app.route({
    method: 'DELETE',
    url: '/tokens/:id',
    config: { scope, subject: ({ params }) => (params as Static<typeof TokenParams>).id },
    schema: {
      operationId: 'revokeToken',
      tags,
      summary: 'Revoke a token',
      description: 'No node takes it any more as soon as this is answered.',
      params: TokenParams,
      response: { 200: TokenAnswer, ...masterErrors(400, 404) },
    },
    handler: async ({ params }) => presentToken(unwrap(await backend.revokeToken(params.id))),
  });

  app.route({
    method: 'GET',
    url: '/audit',
    config: { scope },
    schema: {
      operationId: 'getAuditTrail',
      tags,
      summary: 'Who did what',
      description:
        'What was done that needs the scope operate or admin; each is recorded before it is done. The latest 10000 are kept.',
      querystring: AuditQuery,
      response: { 200: AuditTrail, ...masterErrors(400) },
    },
    handler: async ({ query: { limit = 100, since } }) => {
      const sinceMs = since === undefined ? null : Date.parse(since);
      if (Number.isNaN(sinceMs)) throw new ApiError('BAD_REQUEST', '"since" is no time that there is');
      return { entries: backend.auditTrail({ limit, sinceMs }).map((entry) => toJson(entry)) };
    },
  });
}

function toRequest({ kind, ttl_seconds: ttl, ...body }: Static<typeof TokenBody>): TokenRequest {
  const foreign = (kind === 'api' ? (['role', 'uses'] as const) : (['scope'] as const)).find(
    (key) => body[key] !== undefined,
  );
  if (foreign !== undefined)
    throw new ApiError('BAD_REQUEST', `"${foreign}" is not for tokens of the kind ${kind}: leave it out`);
  const seconds = ttl === undefined ? DEFAULT_TTL[kind] : ttl;
  const common = { name: body.name ?? 'unnamed', ttlMs: seconds === null ? null : seconds * 1000 };
  if (kind === 'api') return { ...common, kind, scope: body.scope ?? 'submit' };
  return { ...common, kind, role: body.role ?? 'voter', uses: body.uses === undefined ? 1 : body.uses };
}
