/** Who may speak to the REST server: bearers of the token, or, without one, local programs but no web pages. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { unbracket } from '../addresses.ts';
import { ApiError } from './errors.ts';
import type { RestOptions } from './options.ts';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/**
 * Throws 401 unless the request bears the token. Digests are compared, so that neither length nor prefix shows in the
 * time.
 */
export function checkBearer(headers: IncomingHttpHeaders, apiToken: string): void {
  const presented = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
  if (presented !== undefined && timingSafeEqual(digest(presented), digest(apiToken))) return;
  const message =
    presented === undefined
      ? 'this API needs its token: send the header "Authorization: Bearer TOKEN" (the content of the node\'s --api-token-file)'
      : 'the token is wrong: send the content of the node\'s --api-token-file as "Authorization: Bearer TOKEN"';
  throw new ApiError('UNAUTHORIZED', message, { 'www-authenticate': 'Bearer realm="fsched"' });
}

/**
 * Without a token, loopback is the only fence, and a browser on this machine stands inside it. A page of another
 * site reaches us under its own name (DNS rebinding: the Host header shows it) or across origins (Origin shows it).
 */
export function checkNotBrowserAttack(
  headers: IncomingHttpHeaders,
  { allowedHosts, tls }: Pick<RestOptions, 'allowedHosts' | 'tls'>,
): void {
  const { host, origin } = headers;
  if (host !== undefined && !isTrustedHost(host, allowedHosts)) {
    throw new ApiError(
      'FORBIDDEN',
      'the Host header names a host that this node does not know (DNS rebinding?): use its IP address or localhost, or start it with --allowed-host NAME',
    );
  }
  if (origin !== undefined && !isSameOrigin(origin, host, allowedHosts, tls === null ? 'http:' : 'https:')) {
    throw new ApiError(
      'FORBIDDEN',
      'web pages of other origins may not use this API while it has no token (see --api-token-file)',
    );
  }
}

function isTrustedHost(header: string, allowedHosts: readonly string[]): boolean {
  const name = unbracket(header.replace(/:\d+$/, '')).toLowerCase();
  return isIP(name) !== 0 || name === 'localhost' || isOneOf(name, allowedHosts);
}

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
