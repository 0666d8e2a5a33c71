/**
 * Speaks REST to a node. `node:http` instead of `fetch`, which takes longer to load and gives up on an answer after
 * five minutes (a run or a followed output may take longer, and without a dependency `fetch` can't be told so). Only
 * uploads go by `fetch`: it knows forms, and streams their files.
 */
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { Readable } from 'node:stream';
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

type Query = Readonly<Record<string, string | number | boolean | undefined>>;
type Headers = Readonly<Record<string, string>>;

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Begins with a slash. */
  readonly path: string;
  readonly query?: Query;
  /** Sent as JSON, but for a form. */
  readonly body?: unknown;
  readonly headers?: Headers;
}

interface Answer {
  readonly status: number;
  readonly body: Readable;
}

/** `code` is the API's (`NO_MASTER`, `NOT_FOUND`, …). */
function exitCodeOf(status: number, code: unknown): ExitCode {
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

  get<T>(path: string, query: Query = {}): Promise<T> {
    return this.json({ method: 'GET', path, query });
  }

  post<T>(path: string, body?: unknown, headers: Headers = {}): Promise<T> {
    return this.json({ method: 'POST', path, body, headers });
  }

  delete<T>(path: string): Promise<T> {
    return this.json({ method: 'DELETE', path });
  }

  /** The body of a successful answer, as JSON; `T` is the node's word for it. Throws `CliError`: the person's next step. */
  async json<T>(request: ApiRequest): Promise<T> {
    const response = await this.open(request);
    try {
      return (await json(response)) as T;
    } catch (cause) {
      if (!(cause instanceof SyntaxError)) throw this.#broken(cause);
      throw noNode(this.url, "its answer isn't JSON", cause);
    }
  }

  /** The successful answer, its body unread. Throws `CliError`. */
  async open(request: ApiRequest): Promise<Readable> {
    const sent = request.body instanceof FormData ? this.#upload(request, request.body) : this.#ask(request);
    const { status, body } = await sent.catch((cause: unknown) => {
      throw this.#broken(cause);
    });
    if (status >= 200 && status < 300) return body;
    throw toFailure(status, await text(body).catch(() => ''), this.url);
  }

  async #ask({ method, path, query = {}, body, headers }: ApiRequest): Promise<Answer> {
    const url = new URL(this.url + path);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const content = body === undefined ? null : Buffer.from(JSON.stringify(body));
    const ofBody =
      content === null ? {} : { 'content-type': 'application/json', 'content-length': content.length };
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const common = this.#common({ ...ofBody, ...headers });
      requestHttp(url, { method, ...common }, resolve)
        .on('error', reject)
        .end(content ?? undefined);
    });
    return { status: response.statusCode ?? 0, body: response };
  }

  async #upload({ method, path, headers }: ApiRequest, body: FormData): Promise<Answer> {
    const response = await fetch(this.url + path, { method, body, ...this.#common({ ...headers }) });
    return { status: response.status, body: Readable.from(response.body ?? []) };
  }

  #common<T extends object>(headers: T) {
    const accept = 'application/json, */*;q=0.5';
    return {
      headers: {
        accept,
        ...(this.#token !== null && { authorization: `Bearer ${this.#token}` }),
        ...headers,
      },
      ...(this.#timeoutMs !== null && { signal: AbortSignal.timeout(this.#timeoutMs) }),
    };
  }

  #broken(error: unknown): CliError {
    // What fetch throws has the reason behind it.
    const cause = error instanceof TypeError && error.cause !== undefined ? error.cause : error;
    const { name, code, message }: NodeJS.ErrnoException =
      cause instanceof Error ? cause : new Error(String(cause));
    if (name === 'AbortError' || name === 'TimeoutError') {
      const late = `${this.url} did not answer within ${this.#timeoutMs} ms; try again, or give --timeout`;
      return new CliError(EXIT.TIMED_OUT, late, { cause });
    }
    return new CliError(
      EXIT.UNREACHABLE,
      `no node answers at ${this.url} (${typeof code === 'string' ? code : message}); start one with "fsched start", or name another with --api URL`,
      { cause },
    );
  }
}

const noNode = (url: string, why: string, cause?: unknown) =>
  new CliError(
    EXIT.UNREACHABLE,
    `what answers at ${url} is no fsched node (${why}); name a node with --api URL`,
    { cause },
  );

function parseBase(api: string): URL {
  const candidate = /^[a-z]+:\/\//i.test(api) ? api : `http://${api}`;
  if (!URL.canParse(candidate) || new URL(candidate).protocol !== 'http:') {
    throw new CliError(EXIT.USAGE, `--api: write a URL such as ${DEFAULT_API}, not ${JSON.stringify(api)}`);
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
    throw CliError.because(EXIT.USAGE, "--api-token-file: the token can't be read", cause);
  }
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new CliError(
    EXIT.USAGE,
    `--api-token-file: ${path} must hold one token of printable ASCII characters`,
  );
}

function toFailure(status: number, body: string, url: string): CliError {
  let parsed: unknown = null;
  try {
    parsed = JSON.parse(body);
  } catch {
    // Answered below: not one of ours.
  }
  const { message, code } = (parsed ?? {}) as { message?: unknown; code?: unknown };
  if (typeof message !== 'string') return noNode(url, `HTTP ${status}`);
  return new CliError(exitCodeOf(status, code), message);
}
