/** One daemon of the demo: a child process with a data directory of its own and free ports. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Environment } from '../../node/config/config.ts';
import { ApiClient } from '../api-client.ts';
import { readToken } from '../api-token.ts';
import { messageOf } from '../exit-codes.ts';

const READY_WITHIN_MS = 30_000;
const STOPS_WITHIN_MS = 5_000;

interface Ready {
  readonly peer: string;
  readonly mesh: readonly string[];
  readonly rest: string;
}

interface DemoNodeOptions {
  /** Of the data directories and logs of all nodes. */
  readonly folder: string;
  readonly flags: readonly string[];
  readonly environment: Environment;
}

export class DemoNode {
  readonly name: string;
  readonly #options: DemoNodeOptions;
  #child: ChildProcess | null = null;
  #ready: Ready | null = null;

  constructor(name: string, options: DemoNodeOptions) {
    this.name = name;
    this.#options = options;
  }

  get dataDir(): string {
    return join(this.#options.folder, this.name);
  }
  get logFile(): string {
    return join(this.#options.folder, `${this.name}.log`);
  }
  get isUp(): boolean {
    return this.#ready !== null;
  }
  get ready(): Ready {
    if (this.#ready === null) throw new Error(`${this.name} is not up`);
    return this.#ready;
  }
  /** `timeoutMs` null: as long as it takes. */
  client(timeoutMs: number | null = 10_000): ApiClient {
    return new ApiClient({
      api: this.ready.rest,
      token: async () => readToken('the demo', join(this.dataDir, 'api-token')),
      caFile: null,
      timeoutMs,
    });
  }

  /** Resolves when it serves; `more` flags come after those of the constructor. */
  async start(more: readonly string[] = []): Promise<void> {
    const { flags, environment } = this.#options;
    const own = ['start', '--name', this.name, '--data-dir', this.dataDir, ...flags, ...more];
    const program = process.argv[1];
    if (program === undefined) throw new Error('the demo does not know its own program');
    // The environment of this shell is meant for one node, not for three.
    const env = Object.fromEntries(
      Object.entries(environment).filter(([variable]) => !variable.startsWith('FSCHED_')),
    );
    const child = spawn(process.execPath, [...process.execArgv, program, ...own], {
      stdio: ['ignore', 'pipe', openSync(this.logFile, 'a')],
      env,
    });
    this.#child = child;
    child.once('exit', () => {
      this.#ready = null;
    });
    this.#ready = await this.#awaitReady(child);
  }

  async #awaitReady(child: ChildProcess): Promise<Ready> {
    const signal = AbortSignal.timeout(READY_WITHIN_MS);
    const ended = once(child, 'exit', { signal }).then(() => Promise.reject(new Error('it ended')));
    try {
      if (child.stdout === null) throw new Error('it has no standard output');
      const line = once(createInterface({ input: child.stdout }), 'line', { signal });
      return JSON.parse(String(await Promise.race([line, ended]))) as Ready;
    } catch (cause) {
      const why = `${messageOf(cause)}; its log is ${this.logFile}`;
      throw new Error(`${this.name} did not get ready: ${why}`, { cause });
    }
  }

  /** As a power cut would end it. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  /** Politely, and by force when that takes too long. */
  async stop(): Promise<void> {
    const force = setTimeout(() => this.#child?.kill('SIGKILL'), STOPS_WITHIN_MS);
    await this.#end('SIGTERM');
    clearTimeout(force);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    this.#ready = null;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }
}
