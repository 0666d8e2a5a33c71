/** Real daemons as child processes of a test: the bundle that ships, on free ports, in directories of their own. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { FIXED_DEFAULTS } from '../../node/config/config.ts';
import { loadCredential } from '../../node/mesh/key-file.ts';
import { inspectPeer } from '../../node/mesh/strangers.ts';
import { tagOf } from '../../node/worker/work-directory.ts';
import { eventually, HANG_MS } from './eventually.ts';

export const BUNDLE = join(import.meta.dirname, '../../dist/fsched.js');
/**
 * Programs of tests are run by the Node of the tests, which may lie where `nobody` can't look. A sandbox brings it in;
 * without one, root has to say that programs run as root.
 */
export const RUN_AS: readonly string[] =
  process.getuid?.() === 0 && spawnSync('bwrap', ['--version']).status !== 0 ? ['--run-as', 'root'] : [];
/** What tests count on, whatever cache their machine has. */
const GEOMETRY: readonly string[] = ['--llc-geometry', '16x1MiB'];
/** A leader whose disk stands still for so long steps down: on a busy machine that is no fault of the cluster. */
const PATIENCE: readonly string[] = ['--election-timeout-ms', '3000'];
/** For benchmarks: with the default. */
export const AS_SHIPPED: readonly string[] = [
  '--election-timeout-ms',
  String(FIXED_DEFAULTS.electionTimeoutMs),
];

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever JSON it expects
  readonly json: any;
}

export interface Inspection {
  readonly cluster: {
    readonly consensus: {
      readonly leader: string | null;
      readonly role: string;
      readonly term: number;
      readonly commitIndex: number;
      readonly configuration: { readonly voters: readonly string[]; readonly learners: readonly string[] };
    };
  };
  readonly held: readonly { readonly runId: string }[];
  readonly tables: { readonly fingerprint: string; readonly versions: Readonly<Record<string, number>> };
}

export class DaemonProcess {
  readonly name: string;
  readonly dataDir: string;
  readonly #flags: readonly string[];
  #child: ChildProcess | null = null;
  #logs = '';
  #apiToken = '';
  peer = '';
  mesh = '';
  rest = '';

  constructor(name: string, dataDir: string, flags: readonly string[]) {
    this.name = name;
    this.dataDir = dataDir;
    this.#flags = flags;
  }

  get tokenFile(): string {
    return join(this.dataDir, 'join-token');
  }
  /** HOST:PORT of the mesh. */
  get meshTarget(): string {
    const [, , host, , port] = this.mesh.split('/');
    return `${host}:${port}`;
  }
  /** Its own: where programs run as the user of the tests, this user is asked for it. */
  get apiTokenFile(): string {
    const given = this.#flags.indexOf('--api-token-file') + 1;
    return (given > 0 && this.#flags[given]) || join(this.dataDir, 'api-token');
  }
  /** Of `fsched` that talks to this node. */
  get environment(): NodeJS.ProcessEnv {
    return { ...process.env, FSCHED_API: this.rest, FSCHED_API_TOKEN_FILE: this.apiTokenFile };
  }
  get isUp(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }
  get logs(): string {
    return this.#logs;
  }
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** @param stderr where its log goes to, if not to `logs` */
  async start(more: readonly string[] = [], stderr: 'pipe' | number = 'pipe'): Promise<this> {
    const ports = ['--listen', this.mesh || '/ip4/127.0.0.1/tcp/0', '--rest', '127.0.0.1:0'];
    const args = [
      BUNDLE,
      'start',
      '--name',
      this.name,
      '--data-dir',
      this.dataDir,
      ...ports,
      ...RUN_AS,
      ...this.#flags,
      ...more,
    ];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', stderr] });
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#logs += text;
    });
    const signal = AbortSignal.timeout(HANG_MS);
    assert.ok(child.stdout);
    const line = once(createInterface({ input: child.stdout }), 'line', { signal }).then(([text]) =>
      String(text),
    );
    const ended = once(child, 'exit', { signal }).then(([code]) => {
      throw new Error(`${this.name} ended with ${code} before it was ready:\n${this.#logs}`);
    });
    const ready = JSON.parse(await Promise.race([line, ended]));
    ended.catch(() => {});
    assert.equal(ready.event, 'ready');
    this.peer = ready.peer;
    this.mesh = ready.mesh[0];
    this.rest = ready.rest;
    this.#apiToken = (await readFile(this.apiTokenFile, 'utf8')).trim();
    return this;
  }

  async kill(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (!child || !this.isUp) return child?.exitCode ?? null;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
    return child.exitCode;
  }

  /** With the node's own token, unless the request brings one. */
  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (!headers.has('authorization')) headers.set('authorization', `Bearer ${this.#apiToken}`);
    return fetch(this.rest + path, { ...init, headers });
  }

  async request(path: string, init: RequestInit = {}): Promise<Reply> {
    const response = await this.fetch(path, init);
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      json: text === '' ? null : JSON.parse(text),
    };
  }

  get(path: string): Promise<Reply> {
    return this.request(path);
  }

  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Reply> {
    const all = { 'content-type': 'application/json', ...headers };
    return this.request(path, { method: 'POST', body: JSON.stringify(body), headers: all });
  }

  /** Returns the task's id. */
  async upload(
    fileName: string,
    content: string | Uint8Array,
    fields: Record<string, string> = {},
  ): Promise<string> {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.set(name, value);
    form.set(
      'file',
      new Blob([content as NonNullable<ConstructorParameters<typeof Blob>[0]>[number]]),
      fileName,
    );
    const reply = await this.request('/controller/task/new', { method: 'POST', body: form });
    assert.equal(reply.status, 200, JSON.stringify(reply.json));
    return reply.json.task_id;
  }

  /** By its own key, as `fsched inspect` does on its machine. */
  async inspect(): Promise<Inspection> {
    const key = await loadCredential(join(this.dataDir, 'peer-key'));
    assert.ok(key);
    const outcome = await inspectPeer(this.meshTarget, key);
    assert.ok(outcome.ok, JSON.stringify(outcome));
    return outcome.value.view as Inspection;
  }
}

/** Daemons of one test; disposed of, whatever happens, with their directories. */
export class TestCluster implements AsyncDisposable {
  readonly #root: string;
  readonly nodes: DaemonProcess[] = [];
  readonly flags: readonly string[];

  private constructor(root: string, flags: readonly string[]) {
    this.#root = root;
    this.flags = flags;
  }

  static async create(flags: readonly string[] = []): Promise<TestCluster> {
    const geometry = flags.includes('--llc-geometry') ? [] : GEOMETRY;
    const root = await mkdtemp(join(tmpdir(), 'fsched-test-'));
    return new TestCluster(root, [...geometry, ...PATIENCE, ...flags]);
  }

  /** A cluster of `size` nodes that all know the master and vote if they should. */
  static async of(size: number, flags: readonly string[] = []): Promise<TestCluster> {
    const cluster = await TestCluster.create(flags);
    try {
      await cluster.add();
      for (let i = 1; i < size; i += 1) await cluster.join();
      const voters = size % 2 === 1 ? size : size - 1;
      await cluster.untilVoters(Math.min(5, voters));
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  get first(): DaemonProcess {
    const [first] = this.nodes;
    assert.ok(first);
    return first;
  }
  get tokenFile(): string {
    return this.first.tokenFile;
  }
  get up(): DaemonProcess[] {
    return this.nodes.filter((node) => node.isUp);
  }

  /** Of the node that is added next, for who wants to put something there before. */
  get nextDataDir(): string {
    return join(this.#root, `node-${this.nodes.length + 1}`);
  }

  /** @param root of its data directory, where that shall not lie beside those of the others */
  add(flags: readonly string[] = [], root = this.#root): Promise<DaemonProcess> {
    const name = `node-${this.nodes.length + 1}`;
    const node = new DaemonProcess(name, join(root, name), [...this.flags, ...flags]);
    this.nodes.push(node);
    return node.start();
  }

  join(flags: readonly string[] = [], root = this.#root): Promise<DaemonProcess> {
    return this.add(['--join', this.first.meshTarget, '--token-file', this.tokenFile, ...flags], root);
  }

  /** The node that all running nodes hold for the master. */
  master(): Promise<DaemonProcess> {
    return eventually('one master that every node knows', async () => {
      const views = await Promise.all(this.up.map(async (node) => (await node.get('/healthz')).json));
      const master = this.up.find((node) => node.peer === views[0].master);
      const agreed = views.every((view) => view.master === master?.peer && view.term === views[0].term);
      return agreed && views.some((view) => view.role === 'master') && master;
    });
  }

  async follower(): Promise<DaemonProcess> {
    const master = await this.master();
    const follower = this.up.find((node) => node !== master);
    assert.ok(follower);
    return follower;
  }

  untilVoters(count: number): Promise<unknown> {
    return eventually(`${count} voters and all members known everywhere`, async () => {
      const views = await Promise.all(this.up.map(async (node) => (await node.get('/cluster')).json));
      return views.every((view) => view.voters.length === count && view.members.length === this.nodes.length);
    });
  }

  untilTablesAreEqual(): Promise<unknown> {
    return eventually('equal tables on all nodes', async () => {
      const views = await Promise.all(this.up.map((node) => node.inspect()));
      return new Set(views.map((view) => view.tables.fingerprint)).size === 1;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill('SIGKILL')));
    // Of secrets, in memory: what was killed couldn't remove it.
    for (const { dataDir } of this.nodes)
      await rm(`/dev/shm/fsched-${tagOf(join(dataDir, 'work'))}`, { recursive: true, force: true });
    await rm(this.#root, { recursive: true, force: true });
  }
}
