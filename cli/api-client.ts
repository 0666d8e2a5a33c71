/**
 * Speaks REST to a node. `node:http` instead of `fetch`, because fetch gives up on an answer after five minutes
 * (a run may take longer) and takes longer to load.
 */
import { readFileSync } from 'node:fs';
import { type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http';
import type { Readable } from 'node:stream';
import { json, text } from 'node:stream/consumers';
import { CliError, EXIT, type ExitCode } from './exit-codes.ts';

export const DEFAULT_API = 'http://127.0.0.1:8200';

export interface ApiOptions {
  /** Base URL of any node. @default http://127.0.0.1:8200 */
  readonly api: string;
  /** File that holds the bearer token. @default null */
  readonly tokenFile: string | null;
  /** How long an answer may take; null: as long as it takes. @default null */
  readonly timeoutMs: number | null;
}

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Begins with a slash. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly stream?: { readonly content: Readable; readonly type: string; readonly length?: number };
  readonly headers?: Readonly<Record<string, string>>;
}

/** The node answered with a failure. `code` is the API's (`NO_MASTER`, `NOT_FOUND`, …). */
export class ApiFailureError extends CliError {
  readonly status: number;
  readonly code: string;
  readonly body: unknown;
  constructor(status: number, code: string, message: string, body: unknown) {
    super(exitCodeOf(status, code), message);
    this.status = status;
    this.code = code;
    this.body = body;
  }
}

function exitCodeOf(status: number, code: string): ExitCode {
  if (code === 'NO_MASTER' || status === 503) return EXIT.NO_MASTER;
  if (status === 404) return EXIT.NOT_FOUND;
  if (status === 408 || status === 504) return EXIT.TIMED_OUT;
  if (status === 422) return EXIT.FAILED;
  return status < 500 ? EXIT.REFUSED : EXIT.NODE_FAILED;
}

export class ApiClient {
  readonly #base: URL;
  readonly #token: string | null;
  readonly #timeoutMs: number | null;

  /** Throws a `CliError` for an unusable URL or token file. */
  constructor(options: ApiOptions) {
    this.#base = parseBase(options.api);
    this.#token = options.tokenFile === null ? null : readToken(options.tokenFile);
    this.#timeoutMs = options.timeoutMs;
  }

  get url(): string {
    return this.#base.href.replace(/\/$/, '');
  }

  /** The body of a successful answer, as JSON. Throws `CliError`: the person's next step. */
  async json(request: ApiRequest): Promise<unknown> {
    const response = await this.open(request);
    try {
      return await json(response);
    } catch (cause) {
      if (cause instanceof SyntaxError) {
        throw new CliError(
          EXIT.UNREACHABLE,
          `What answers at ${this.url} is no fsched node: its answer isn't JSON. Name a node with --api URL.`,
          { cause },
        );
      }
      throw this.#broken(cause);
    }
  }

  /** The successful answer, its body unread. Throws `CliError`. */
  async open(request: ApiRequest): Promise<IncomingMessage> {
    const response = await this.#send(request);
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    const body = await text(response).catch(() => '');
    throw toFailure(status, body, this.url);
  }

  #send(request: ApiRequest): Promise<IncomingMessage> {
    const url = new URL(this.url + request.path);
    for (const [name, value] of Object.entries(request.query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const body = request.body === undefined ? null : Buffer.from(JSON.stringify(request.body));
    const options: RequestOptions = {
      method: request.method,
      headers: {
        accept: 'application/json, */*;q=0.5',
        ...(this.#token === null ? {} : { authorization: `Bearer ${this.#token}` }),
        ...(body === null ? {} : { 'content-type': 'application/json', 'content-length': body.length }),
        ...streamHeaders(request.stream),
        ...request.headers,
      },
      ...(this.#timeoutMs === null ? {} : { signal: AbortSignal.timeout(this.#timeoutMs) }),
    };
    return new Promise((resolve, reject) => {
      const outgoing = requestHttp(url, options, resolve);
      outgoing.on('error', (error) => reject(this.#broken(error)));
      if (request.stream === undefined) {
        outgoing.end(body ?? undefined);
      } else {
        request.stream.content.on('error', (error) => outgoing.destroy(error));
        request.stream.content.pipe(outgoing);
      }
    });
  }

  #broken(cause: unknown): CliError {
    const error: NodeJS.ErrnoException = cause instanceof Error ? cause : new Error(String(cause));
    const { name, code, message } = error;
    if (name === 'AbortError' || name === 'TimeoutError') {
      return new CliError(
        EXIT.TIMED_OUT,
        `${this.url} did not answer within ${this.#timeoutMs} ms; try again, or give --timeout.`,
        { cause },
      );
    }
    return new CliError(
      EXIT.UNREACHABLE,
      `No node answers at ${this.url} (${code ?? message}). Start one with "fsched start", or name another with --api URL.`,
      { cause },
    );
  }
}

const streamHeaders = (stream: ApiRequest['stream']): Record<string, string | number> =>
  stream === undefined
    ? {}
    : {
        'content-type': stream.type,
        ...(stream.length === undefined ? {} : { 'content-length': stream.length }),
      };

function parseBase(api: string): URL {
  const candidate = /^[a-z]+:\/\//i.test(api) ? api : `http://${api}`;
  if (!URL.canParse(candidate) || new URL(candidate).protocol !== 'http:') {
    throw new CliError(EXIT.USAGE, `--api: write a URL such as ${DEFAULT_API}, not ${JSON.stringify(api)}.`);
  }
  const url = new URL(candidate);
  url.search = '';
  url.hash = '';
  return url;
}

function readToken(path: string): string {
  let token: string;
  try {
    token = readFileSync(path, 'utf8').trim();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CliError(EXIT.USAGE, `--api-token-file: the token can't be read: ${why}.`, { cause });
  }
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new CliError(
    EXIT.USAGE,
    `--api-token-file: ${path} must hold one token of printable ASCII characters.`,
  );
}

function toFailure(status: number, body: string, url: string): CliError {
  let parsed: unknown = null;
  try {
    parsed = JSON.parse(body);
  } catch {
    // Answered below: not one of ours.
  }
  const { message, code } = (typeof parsed === 'object' && parsed !== null ? parsed : {}) as {
    message?: unknown;
    code?: unknown;
  };
  if (typeof message !== 'string') {
    return new CliError(
      EXIT.UNREACHABLE,
      `What answers at ${url} is no fsched node (HTTP ${status}). Name a node with --api URL.`,
    );
  }
  return new ApiFailureError(status, typeof code === 'string' ? code : '', message, parsed);
}
