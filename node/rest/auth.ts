/**
 * Who is at the door of the REST server: bearers of tokens, members that pass on requests over the mesh, and trusted
 * users of this machine, unless a web page or a proxy speaks through them.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { isIP, type Socket } from 'node:net';
import type { FastifyRequest } from 'fastify';
import type { NodeId } from '../../protocols/schema/fields.ts';
import type { Scope } from '../../protocols/schema/token.ts';
import { unbracket } from '../addresses.ts';
import type { RestBackend } from './backend.ts';
import { ApiError } from './errors.ts';
import type { RestOptions } from './options.ts';
import { type BearerFault, includes, type Principal } from './principal.ts';

export interface DoorDependencies {
  readonly backend: Pick<RestBackend, 'bearer' | 'nodePrincipal'>;
  /** The member that sent a request over the mesh; null: it came in by this node's own door. */
  readonly senderOf: (request: FastifyRequest) => NodeId | null;
  /** See `LocalCallers`. */
  readonly localUser: (socket: Socket) => Promise<string | null>;
}

const TRY =
  'send the header "Authorization: Bearer TOKEN" with a token of "fsched token create" or the one in DATA-DIR/api-token';
const FAULTS: Readonly<Record<Exclude<BearerFault, 'UNDECIDED'>, string>> = {
  UNKNOWN_TOKEN: `the token is wrong: ${TRY}`,
  REVOKED: 'the token was revoked: ask whoever administers this cluster for another (fsched token create)',
  EXPIRED: 'the token has expired: ask whoever administers this cluster for another (fsched token rotate)',
};

/**
 * Null: nobody whom this node knows.
 * @param mayWait throws where the caller has asked too often to be waited for
 * @throws ApiError of a token that doesn't hold, or of what a web page sends
 */
export async function identify(
  request: FastifyRequest,
  options: Pick<RestOptions, 'allowedHosts' | 'tls'>,
  { backend, senderOf, localUser }: DoorDependencies,
  mayWait: () => Promise<void>,
): Promise<Principal | null> {
  const { headers, raw } = request;
  if (headers.authorization !== undefined) return bearerOf(headers.authorization, backend, mayWait);
  const sender = senderOf(request);
  // Known by its key: what it lets in without a token it answers for.
  if (sender !== null) return backend.nodePrincipal(sender);
  checkNotBrowserAttack(headers, options);
  if (isCarried(headers, options)) return null;
  const user = await localUser(raw.socket);
  const node = user === null ? null : backend.nodePrincipal(null);
  return user === null || node === null ? null : { ...node, who: user };
}

async function bearerOf(
  authorization: string,
  backend: Pick<RestBackend, 'bearer'>,
  mayWait: () => Promise<void>,
): Promise<Principal> {
  const token = /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
  if (token === undefined)
    throw unauthorized(`the Authorization header is of a kind that this API does not know: ${TRY}`);
  const known = await backend.bearer(token, mayWait);
  if (known.ok) return known.value;
  if (known.error === 'UNDECIDED') {
    const message = 'this node can not tell yet whether the token holds: try again in a second';
    throw new ApiError('UNAVAILABLE', message, { 'retry-after': '1' });
  }
  throw unauthorized(FAULTS[known.error], 'invalid_token');
}

export const needsToken = (): ApiError =>
  unauthorized(
    `this API asks for a token: ${TRY}; on the node's own machine root, and its user where programs run as others, need none`,
  );

/** `error` by RFC 6750, section 3.1. */
const unauthorized = (message: string, error?: string): ApiError =>
  new ApiError('UNAUTHORIZED', message, challenge(error));
const challenge = (error?: string, scope?: Scope) => ({
  'www-authenticate': ['Bearer realm="fsched"', error && `error="${error}"`, scope && `scope="${scope}"`]
    .filter(Boolean)
    .join(', '),
});

/** @throws ApiError FORBIDDEN that names the scope that is missing */
export function checkScope({ scope, who, tokenId }: Principal, needed: Scope): void {
  if (includes(scope, needed)) return;
  const what = tokenId === null ? who : `the token "${who}" (${tokenId})`;
  throw new ApiError(
    'FORBIDDEN',
    `this needs the scope "${needed}", and ${what} has "${scope}": use a token with that scope (fsched token create --scope ${needed})`,
    challenge('insufficient_scope', needed),
  );
}

/** A proxy on this machine speaks for others, whoever its own user is; the names that the operator allowed are its. */
function isCarried(
  headers: IncomingHttpHeaders,
  { allowedHosts }: Pick<RestOptions, 'allowedHosts'>,
): boolean {
  const { host = '', origin = '' } = headers;
  const names = [nameIn(host), URL.canParse(origin) ? new URL(origin).hostname : ''];
  const signs = ['forwarded', 'via', 'x-real-ip'];
  return (
    names.some((name) => isOneOf(name, allowedHosts)) ||
    Object.keys(headers).some((name) => signs.includes(name) || name.startsWith('x-forwarded-'))
  );
}

/**
 * A browser of a trusted user is trusted, too, and what it shows may not be. A page of another site reaches us under
 * its own name (DNS rebinding: the Host header shows it) or across origins (Origin shows it).
 */
function checkNotBrowserAttack(
  headers: IncomingHttpHeaders,
  { allowedHosts, tls }: Pick<RestOptions, 'allowedHosts' | 'tls'>,
): void {
  const { host, origin } = headers;
  if (host !== undefined && !isTrustedHost(host, allowedHosts)) {
    throw new ApiError(
      'FORBIDDEN',
      'the Host header names a host that this node does not know (DNS rebinding?): use its IP address or localhost, send a token, or start the node with --allowed-host NAME',
    );
  }
  if (origin !== undefined && !isSameOrigin(origin, host, allowedHosts, tls === null ? 'http:' : 'https:')) {
    throw new ApiError('FORBIDDEN', 'web pages of other origins may not use this API without a token');
  }
}

function isTrustedHost(header: string, allowedHosts: readonly string[]): boolean {
  const name = nameIn(header);
  return isIP(name) !== 0 || name === 'localhost' || isOneOf(name, allowedHosts);
}

/** Without the port. */
const nameIn = (header: string): string => unbracket(header.replace(/:\d+$/, '')).toLowerCase();

const isOneOf = (name: string, hosts: readonly string[]): boolean =>
  hosts.some((host) => host.toLowerCase() === name.toLowerCase());

/**
 * A page that this node itself serves, or one that a reverse proxy serves of it: such a proxy speaks for the names that
 * the operator said, by TLS or not.
 */
function isSameOrigin(
  origin: string,
  host: string | undefined,
  allowedHosts: readonly string[],
  protocol: string,
): boolean {
  if (host === undefined || !URL.canParse(origin)) return false;
  const url = new URL(origin);
  const isProxied = ['http:', 'https:'].includes(url.protocol) && isOneOf(url.hostname, allowedHosts);
  return (url.protocol === protocol && url.host === new URL(`${protocol}//${host}`).host) || isProxied;
}
