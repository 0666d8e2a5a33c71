/**
 * Speaks REST to a node. `node:http` instead of `fetch`, which takes longer to load and gives up on an answer after
 * five minutes (a run or a followed output may take longer, and without a dependency `fetch` can't be told so).
 */
import { type IncomingMessage, request as requestHttp } from 'node:http';
import type { RequestOptions as HttpsRequestOptions } from 'node:https';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { readSmallFileSync } from '../node/small-file.ts';
import { CliError, EXIT, type ExitCode } from './exit-codes.ts';

export const DEFAULT_API = 'http://127.0.0.1:8200';

export interface ApiOptions {
  /** Base URL of any node. @default http://127.0.0.1:8200 */
  readonly api: string;
  /** Gives the bearer token for the node at this URL; null: none. */
  readonly token: (api: URL) => Promise<string | null>;
  /** File with the certificates (PEM) that vouch for an https server; null: those that the system trusts. @default null */
  readonly caFile: string | null;
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
  /** A `Form` is streamed, anything else is sent as JSON. */
  readonly body?: unknown;
  readonly headers?: Headers;
  /** Aborted, it hangs up. */
  readonly signal?: AbortSignal;
}

class Form {
  readonly content: Blob;
  readonly type: string;
  constructor(content: Blob, type: string) {
    this.content = content;
    this.type = type;
  }
}

/**
 * A form with one file. It is encoded with an empty one, and the content put in its place: what Node makes of a
 * `FormData` reads files faster than the network takes them, and so the whole file into memory.
 */
export async function makeForm(
  fields: Readonly<Record<string, string | undefined>>,
  fileName: string,
  content: Blob,
): Promise<Form> {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) form.set(name, value);
  form.set('file', new Blob([]), fileName);
  const encoded = new Response(form);
  const frame = Buffer.from(await encoded.arrayBuffer());
  const end = frame.lastIndexOf('\r\n--');
  const whole = new Blob([frame.subarray(0, end), content, frame.subarray(end)]);
  return new Form(whole, encoded.headers.get('content-type') ?? '');
}

/** `code` is the API's (`NO_MASTER`, `NOT_FOUND`, …). */
function exitCodeOf(status: number, code: unknown): ExitCode {
  if (code === 'NO_MASTER' || status === 503) return EXIT.NO_MASTER;
  if (status === 404) return EXIT.NOT_FOUND;
  if (status === 408 || status === 504) return EXIT.TIMED_OUT;
  if (status === 422) return EXIT.FAILED;
  return status < 500 ? EXIT.REFUSED : EXIT.NODE_FAILED;
}

/** Above any answer of a node, output of runs included; what is no node may send for ever. */
const MAX_ANSWER_BYTES = 256 * 1024 ** 2;
const MAX_REFUSAL_BYTES = 1024 ** 2;

/** Null where there is more. @throws what broke the connection */
async function readText(response: IncomingMessage, limit: number): Promise<string | null> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > limit) return null;
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

/** A node that is asked too often says when to go on; nothing was done, so whatever it was can be asked again. */
const MOST_WAITS = 3;
const LONGEST_WAIT_MS = 10_000;

function rateLimitWaitMs(response: IncomingMessage, failure: CliError): number | null {
  if (!(failure instanceof ApiFailure) || failure.code !== 'RATE_LIMITED') return null;
  const ms = Number(response.headers['retry-after']) * 1000;
  return ms >= 0 && ms <= LONGEST_WAIT_MS ? ms : null;
}

/** A refusal of the API. */
class ApiFailure extends CliError {
  /** `NO_MASTER`, `NOT_FOUND`, … */
  readonly code: unknown;
  constructor(status: number, code: unknown, message: string) {
    super(exitCodeOf(status, code), message);
    this.code = code;
  }
}

export class ApiClient {
  readonly #base: URL;
  readonly #token: (api: URL) => Promise<string | null>;
  readonly #ca: string | null;
  readonly #timeoutMs: number | null;

  /** Throws a `CliError` for an unusable URL or file of certificates. */
  constructor(options: ApiOptions) {
    this.#base = parseBase(options.api);
    this.#token = options.token;
    this.#ca = options.caFile === null ? null : readCertificates(options.caFile);
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

  /**
   * The body of a successful answer, as JSON; `T` is the node's word for it. Throws `CliError`: the person's next step.
   */
  async json<T>(request: ApiRequest): Promise<T> {
    const whole = await this.text(request);
    try {
      return JSON.parse(whole) as T;
    } catch (cause) {
      throw noNode(this.url, "its answer isn't JSON", cause);
    }
  }

  /** The same, as text. */
  async text(request: ApiRequest): Promise<string> {
    const response = await this.open(request);
    const whole = await readText(response, MAX_ANSWER_BYTES).catch((cause: unknown) => {
      throw this.explain(cause);
    });
    if (whole === null)
      throw noNode(this.url, `its answer has more than ${MAX_ANSWER_BYTES} bytes, as none of a node has`);
    return whole;
  }

  /** The successful answer, its body unread. Throws `CliError`. */
  async open(request: ApiRequest): Promise<IncomingMessage> {
    for (let waits = 0; ; waits += 1) {
      const response = await this.#send(request);
      const status = response.statusCode ?? 0;
      if (status >= 200 && status < 300) return response;
      const failure = await this.#refusal(response, status);
      const waitMs = waits < MOST_WAITS ? rateLimitWaitMs(response, failure) : null;
      if (waitMs === null) throw failure;
      await delay(waitMs);
    }
  }

  async #refusal(response: IncomingMessage, status: number): Promise<CliError> {
    const body = (await readText(response, MAX_REFUSAL_BYTES).catch(() => null)) ?? '';
    // There is a socket only while an upload that was refused is still being sent: nobody waits for its end.
    (response.socket as Socket | null)?.destroy();
    return toFailure(status, body, this.url);
  }

  async #send({ method, path, query = {}, body, headers, signal }: ApiRequest): Promise<IncomingMessage> {
    const token = await this.#token(this.#base);
    const url = new URL(this.url + path);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const limit = this.#timeoutMs === null ? [] : [AbortSignal.timeout(this.#timeoutMs)];
    const ended = AbortSignal.any(signal ? [...limit, signal] : limit);
    const json = body === undefined || body instanceof Form ? null : Buffer.from(JSON.stringify(body));
    const options: HttpsRequestOptions = {
      method,
      ...(this.#ca !== null && { ca: this.#ca }),
      headers: {
        accept: 'application/json, */*;q=0.5',
        ...(token !== null && { authorization: `Bearer ${token}` }),
        ...(json !== null && { 'content-type': 'application/json', 'content-length': json.length }),
        ...(body instanceof Form && { 'content-type': body.type, 'content-length': body.content.size }),
        ...headers,
      },
      signal: ended,
    };
    // Most speak to a node on their own machine, and TLS takes a while to load.
    const request = url.protocol === 'https:' ? (await import('node:https')).request : requestHttp;
    return new Promise((resolve, reject) => {
      const outgoing = request(url, options, (response) => {
        // Node's own word for a body that is broken off is that the other end did it.
        ended.addEventListener('abort', () => response.destroy(ended.reason));
        resolve(response);
      });
      outgoing.on('error', (error) => reject(this.explain(error)));
      if (body instanceof Form) {
        const content = Readable.fromWeb(body.content.stream());
        content.on('error', (error) => outgoing.destroy(error)).pipe(outgoing);
      } else outgoing.end(json ?? undefined);
    });
  }

  /** What broke a connection, for the person. */
  explain(cause: unknown): CliError {
    const { name, code, message }: NodeJS.ErrnoException =
      cause instanceof Error ? cause : new Error(String(cause));
    if (name === 'NotReadableError')
      return new CliError(EXIT.USAGE, 'the file changed while it was sent; send it again', { cause });
    if (name === 'AbortError' || name === 'TimeoutError') {
      const late = `${this.url} did not answer within ${this.#timeoutMs} ms; try again, or give --timeout`;
      return new CliError(EXIT.TIMED_OUT, late, { cause });
    }
    const untrusted = explainTls(code ?? '', message, this.#base);
    if (untrusted !== null) return new CliError(EXIT.UNREACHABLE, untrusted, { cause });
    // What a server by https does with what isn't TLS.
    const hint = code === 'ECONNRESET' && this.#base.protocol === 'http:' ? '; is it https:// there?' : '';
    return new CliError(
      EXIT.UNREACHABLE,
      `no node answers at ${this.url} (${code ?? message}${hint}); start one with "fsched start", or name another with --api URL`,
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
  if (!URL.canParse(candidate) || !['http:', 'https:'].includes(new URL(candidate).protocol)) {
    throw new CliError(EXIT.USAGE, `--api: write a URL such as ${DEFAULT_API}, not ${JSON.stringify(api)}`);
  }
  const url = new URL(candidate);
  url.search = '';
  url.hash = '';
  return url;
}

/** Why a server by https isn't believed, or not understood; null: that isn't it. */
function explainTls(code: string, message: string, { href, hostname }: URL): string | null {
  const url = href.replace(/\/$/, '');
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return `the certificate of ${url} has expired: renew it there (or set the clock here)`;
    case 'CERT_NOT_YET_VALID':
      return `the certificate of ${url} is not valid yet: is the clock of this machine right?`;
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `the certificate of ${url} is for another name than ${hostname}: give a name that it has, with --api (${message})`;
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'CERT_SIGNATURE_FAILURE':
    case 'CERT_UNTRUSTED':
      return `nobody whom this machine trusts vouches for the certificate of ${url} (${code}): give who does with --ca-file FILE`;
    case 'EPROTO':
      return `what answers at ${url} does not speak TLS as this program does (${message.split('\n')[0]}): is it http:// there?`;
    default:
      return null;
  }
}

function readCertificates(path: string): string {
  let text: string;
  try {
    text = readSmallFileSync(path);
  } catch (cause) {
    throw CliError.because(EXIT.USAGE, "--ca-file: the certificates can't be read", cause);
  }
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw new CliError(EXIT.USAGE, `--ca-file: there is no certificate in PEM in ${path}`);
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
  return new ApiFailure(status, code, message);
}
