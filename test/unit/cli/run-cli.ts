/** Runs the bundled program against a fake node. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const builder = fileURLToPath(new URL('../../../cli/bin/build.mjs', import.meta.url));

/** The bundle in a folder of its own, so that tests neither need nor touch dist/. */
export class Bundle implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'fsched-bundle-'));

  constructor() {
    execFileSync(process.execPath, [builder, this.#folder], { stdio: 'pipe' });
  }
  get program(): string {
    return join(this.#folder, 'fsched.js');
  }
  run(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Ended> {
    return new Promise((resolve) => {
      // FSCHED_* of the shell must not reach the program.
      const env = { PATH: process.env.PATH, HOME: this.#folder, ...environment };
      execFile(process.execPath, [this.program, ...args], { env }, (error, stdout, stderr) => {
        resolve({ exitCode: error === null ? 0 : Number(error.code), stdout, stderr });
      });
    });
  }
  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }
}

export interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Seen {
  readonly request: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Answers by `METHOD /path` (query left out); 404 for the rest. Keeps what it was asked. */
export class FakeNode implements AsyncDisposable {
  readonly seen: Seen[] = [];
  readonly #answers: Readonly<Record<string, FakeAnswer>>;
  readonly #server: Server;

  private constructor(answers: Readonly<Record<string, FakeAnswer>>) {
    this.#answers = answers;
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }
  static async start(answers: Readonly<Record<string, FakeAnswer>>): Promise<FakeNode> {
    const node = new FakeNode(answers);
    await new Promise<void>((resolve) => node.#server.listen(0, '127.0.0.1', resolve));
    return node;
  }
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }
  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    const path = request.url?.split('?')[0];
    this.seen.push({ request: `${request.method} ${request.url}`, headers: request.headers, body });
    const answer = this.#answers[`${request.method} ${path}`] ?? [
      404,
      { message: 'There is no such thing.', code: 'NOT_FOUND' },
    ];
    if (answer === 'silence') return;
    const [status, content] = answer;
    response.writeHead(status).end(typeof content === 'string' ? content : JSON.stringify(content));
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
export type FakeAnswer = readonly [status: number, content: unknown] | 'silence';
