/** A REST server with a fake backend, over real HTTP on a free port of loopback. */

import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { systemClock, systemRandom } from '../../../node/adapters.ts';
import type { Clock } from '../../../node/ports.ts';
import type { Authority } from '../../../node/rest/backend.ts';
import { LocalCallers, trustedUsers } from '../../../node/rest/local-callers.ts';
import type { RestOptions } from '../../../node/rest/options.ts';
import { createRestServer, type RestServer } from '../../../node/rest/server.ts';
import { SocketOwners } from '../../../node/socket-owners.ts';
import { eventually } from '../../support/eventually.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { FakeBackend } from './fake-backend.ts';

export interface Reply {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  // The tests look into answers of any shape; assert on what matters.
  readonly json: Record<string, unknown>;
}

interface RestParts {
  readonly clock?: Clock;
  readonly trusts?: ReturnType<typeof localUser>;
}

export interface Rest extends AsyncDisposable {
  readonly server: RestServer;
  readonly backend: FakeBackend;
  readonly url: string;
  readonly port: number;
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>;
  form(form: FormData, path?: string): Promise<Reply>;
}

/** As on a node whose programs run as others: who runs the tests is trusted. */
export const localUser = (
  callers = new LocalCallers(
    { trusted: () => trustedUsers(process.geteuid?.() ?? -1, false) },
    { owners: new SocketOwners() },
  ),
) => callers.trusted.bind(callers);
/** Nobody on this machine is trusted: who shows no token is a stranger. */
export const nobodyTrusted = async (): Promise<null> => null;

export async function startRest(
  options: Partial<RestOptions> = {},
  backend = new FakeBackend(),
  { clock = systemClock, trusts = localUser() }: RestParts = {},
): Promise<Rest> {
  const server = createRestServer(
    { port: 0, masterPollMs: 5, stopTimeoutMs: 200, lingerMs: 500, ...options },
    { backend, logger: silentLogger, clock, random: systemRandom, localUser: trusts },
  );
  const { port } = await server.start();
  const send = (method: string, path: string, body: string | undefined, headers: Record<string, string>) =>
    new Promise<Reply>((resolve, reject) => {
      // Not fetch: it won't let a test choose Host or leave out Content-Type.
      const request = httpRequest({ port, host: '127.0.0.1', method, path, headers, agent: false });
      request.on('error', reject);
      request.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const isJson = text !== '' && /json/.test(response.headers['content-type'] ?? '');
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            json: isJson ? JSON.parse(text) : {},
          });
        });
      });
      request.end(body);
    });
  return {
    server,
    backend,
    port,
    url: server.url,
    call: (method, path, body, headers = {}) => {
      if (body === undefined) return send(method, path, undefined, headers);
      if (typeof body === 'string') return send(method, path, body, headers);
      return send(method, path, JSON.stringify(body), { 'content-type': 'application/json', ...headers });
    },
    form: async (form, path = '/controller/task/new') => {
      const response = await fetch(`${server.url}${path}`, { method: 'POST', body: form });
      const text = await response.text();
      return {
        status: response.status,
        headers: Object.fromEntries(response.headers),
        text,
        json: JSON.parse(text) as Record<string, unknown>,
      };
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

/** Sends bytes as they are and returns all that comes back until the connection closes or `until` matches. */
export function sendRaw(port: number, bytes: string | Buffer, until?: RegExp): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    let heard = '';
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1');
      if (until?.test(heard)) socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(heard));
  });
}

export async function until(condition: () => boolean, what = 'condition'): Promise<void> {
  await eventually(what, condition);
}

/** The authority of a node whose master is `to`; the streams it opened can be cut by the test. */
export function other(
  to: Rest,
  name = 'node-m',
  from = 'node-a',
): Extract<Authority, { kind: 'other' }> & { readonly streams: Duplex[] } {
  const streams: Duplex[] = [];
  return {
    kind: 'other',
    master: name,
    streams,
    open: async () => {
      const [near, far] = duplexPair();
      streams.push(near);
      // A cut is felt at both ends, as on a connection.
      near.once('close', () => far.destroy());
      far.once('close', () => near.destroy());
      to.server.acceptForwarded(far, from);
      return near;
    },
  };
}

export const nobody: Authority = { kind: 'none', reason: 'An election is going on.', retryAfterSeconds: 1 };
