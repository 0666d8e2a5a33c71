/** Whole nodes on an emulated kernel that lacks what it has to give, loses groups, and outlives the daemon. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { systemClock } from '../../node/adapters.ts';
import { readHost } from '../../node/config/config.ts';
import { loadConfig } from '../../node/config/load.ts';
import { type Daemon, startDaemon } from '../../node/daemon.ts';
import { EmulatedResctrl, type EmulatorOptions } from '../../node/llc/emulator/emulator.ts';
import { machineLike } from '../../node/llc/emulator/machine.ts';
import { ProcProcesses } from '../../node/llc/emulator/processes.ts';
import { RUN_AS, TestCluster } from '../support/daemon-process.ts';
import { eventually } from '../support/eventually.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { NODE, processesOf, SLEEPER, UNTIL_WOKEN, wakeUntil } from './programs.ts';

const FLAGS = { llc: 'emulated', llcGeometry: '16x1MiB', listen: '127.0.0.1:0', rest: '127.0.0.1:0' };

interface Kernel extends Omit<EmulatorOptions, 'machine'> {
  readonly closids?: number;
  readonly rmids?: number;
}

/** A node in this process, and the kernel that it runs on. */
class Node implements AsyncDisposable {
  readonly #directory: string;
  readonly #daemon: Daemon;
  readonly kernel: EmulatedResctrl;

  private constructor(directory: string, daemon: Daemon, kernel: EmulatedResctrl) {
    this.#directory = directory;
    this.#daemon = daemon;
    this.kernel = kernel;
  }

  static async start({ closids, rmids, ...options }: Kernel = {}): Promise<Node> {
    const directory = await mkdtemp(join(tmpdir(), 'fsched-test-'));
    const flags = { ...FLAGS, dataDir: join(directory, 'data'), ...(RUN_AS.length > 0 && { runAs: 'root' }) };
    const config = await loadConfig({
      flags,
      environment: {},
      workingDirectory: directory,
      host: readHost(),
    });
    let kernel: EmulatedResctrl | null = null;
    const daemon = await startDaemon(config, {
      logger: silentLogger,
      searchPath: process.env.PATH ?? '',
      emulate: (topology) => {
        const machine = { ...machineLike(topology), ...(closids && { closids }), ...(rmids && { rmids }) };
        kernel = new EmulatedResctrl(
          { machine, ...options },
          { processes: new ProcProcesses(), clock: systemClock },
        );
        return kernel;
      },
    });
    assert.ok(kernel);
    const node = new Node(directory, daemon, kernel);
    const form = new FormData();
    form.set('command', NODE);
    form.set('file', new Blob([SLEEPER]), 'sleeper.mjs');
    await node.call('/controller/task/new', { method: 'POST', body: form });
    return node;
  }

  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever JSON it expects
  async call(path: string, init: RequestInit = {}): Promise<any> {
    const token = (await readFile(join(this.#directory, 'data', 'api-token'), 'utf8')).trim();
    const headers = { ...init.headers, authorization: `Bearer ${token}` };
    return (await fetch(this.#daemon.ready.rest + path, { ...init, headers })).json();
  }

  /** Starts a sleeper; returns the run's id. */
  async submit(sleepMs = UNTIL_WOKEN): Promise<string> {
    const body = JSON.stringify({ function_name: 'sleeper', parameters: { input_size: sleepMs } });
    const headers = { 'content-type': 'application/json' };
    return (await this.call('/submit', { method: 'POST', body, headers })).run_id;
  }

  /** Wakes it, and gives its result. */
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever JSON it expects
  async end(runId: string): Promise<any> {
    const over = eventually('the end of the run', async () => {
      const run = await this.call(`/runs/${runId}`);
      return run.finished_at !== null && run;
    });
    const run = await wakeUntil(over, [runId]);
    assert.equal(run.state, 'succeeded', JSON.stringify(run));
    return run.result;
  }

  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever JSON it expects
  async run(): Promise<any> {
    return this.end(await this.submit(1));
  }

  /** What the runs of all domains have their ways by, as the cluster hears it. */
  async holds(): Promise<string[]> {
    const { llc } = (await this.call('/cluster')).members[0];
    return llc.flatMap(({ runs }: { runs: { hold: string }[] }) => runs.map(({ hold }) => hold)).sort();
  }

  async groups(): Promise<string[]> {
    return (await this.kernel.list('')).filter((name) => name.startsWith('fsched-'));
  }

  /** Nothing of ours is in the kernel, and everything that the node had to lend it has to lend. */
  async assertClean(freeWays: number): Promise<void> {
    await eventually('all ways free', async () => (await this.freeWays()) === freeWays);
    assert.deepEqual(await this.groups(), []);
  }

  async freeWays(): Promise<number> {
    return (await this.call('/cluster')).members[0].free_ways;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon.stop();
    assert.deepEqual(await this.groups(), []);
    await rm(this.#directory, { recursive: true, force: true });
  }
}

describe('a node whose kernel', () => {
  test('has no more classes of service: runs share the pool, and move up when one is freed', async () => {
    await using node = await Node.start({ closids: 3 });
    const free = await node.freeWays();
    const first = await node.submit();
    await eventually('one partition', async () => (await node.holds()).join() === 'partition');
    const second = await node.submit();
    await eventually('one waits', async () => (await node.holds()).join() === 'partition,pool');
    assert.match((await node.end(first)).enforcement_reason, /would be enforced$/);
    await eventually('it has moved up', async () => (await node.holds()).join() === 'partition');
    const [group] = await node.groups();
    assert.ok(group !== undefined && !group.endsWith('pool'), group);
    const result = await node.end(second);
    // The weakest that it had is what is recorded.
    assert.match(
      result.enforcement_reason,
      /would be shared \(all classes of service \(CLOSIDs\) are in use\)$/,
    );
    await node.assertClean(free);
  });

  test('keeps monitoring ids in limbo: runs go on without being held, and are held again after it', async () => {
    await using node = await Node.start({ rmids: 3, limboMs: Number.POSITIVE_INFINITY });
    const free = await node.freeWays();
    for (let used = 0; used < 2; used++)
      assert.match((await node.run()).enforcement_reason, /would be enforced$/);
    assert.equal(node.kernel.rmidsInLimbo, 2);
    const unheld = await node.run();
    assert.match(unheld.enforcement_reason, /would be unenforced \(monitoring ids \(RMIDs\) were in limbo/);
    node.kernel.cleanLimbo();
    assert.match((await node.run()).enforcement_reason, /would be enforced$/);
    await node.assertClean(free);
  });

  test('loses a group to another program: the run ends well and says what became of its partition', async () => {
    await using node = await Node.start();
    const free = await node.freeWays();
    const run = await node.submit();
    const [group] = await eventually('a group', async () => {
      const groups = await node.groups();
      return groups.length === 1 && (await node.kernel.read(`${groups[0]}/tasks`)) !== '' && groups;
    });
    await node.kernel.rmdir(group ?? '');
    await eventually('counted only', async () => (await node.holds()).join() === 'counted');
    assert.match(
      (await node.end(run)).enforcement_reason,
      /would be unenforced \(another program removed fsched-/,
    );
    await node.assertClean(free);
  });
});

test('a daemon that is killed with runs in partitions finds what it left, removes it, and runs them again', async () => {
  await using cluster = await TestCluster.of(1, ['--llc', 'emulated']);
  const { first } = cluster;
  const groupsKept = async () =>
    (await readFile(join(first.dataDir, 'resctrl-emulated'), 'utf8')).match(/"fsched-[^"]*"/g)?.map(String) ??
    [];
  const domains = async () => (await first.get('/cluster')).json.members[0].llc;
  await first.upload('sleeper.mjs', SLEEPER, { command: NODE });
  const free = (await first.get('/cluster')).json.members[0].free_ways;
  const ids: string[] = [];
  for (let run = 0; run < 2; run++) {
    const { json } = await first.post('/submit', {
      function_name: 'sleeper',
      parameters: { input_size: UNTIL_WOKEN },
    });
    ids.push(json.run_id);
  }
  const { cpus } = (await first.get('/cluster')).json.members[0];
  const atOnce = Math.min(cpus, ids.length);
  const before = await eventually('runs in groups', async () => {
    const { runs } = (await first.get('/runs?state=running')).json;
    const names = await groupsKept();
    return runs.length === atOnce && names.length >= atOnce && names;
  });
  await first.kill('SIGKILL');
  assert.deepEqual(await groupsKept(), before, 'nobody could clean up');
  await first.start();
  assert.match(first.logs, /groups of an earlier life removed/);
  const left = await groupsKept();
  assert.deepEqual(
    left.filter((name) => before.includes(name)),
    [],
    'groups of the first attempts',
  );
  await eventually('they run again, each in ways of its own', async () => {
    const runs = (await domains()).flatMap((domain: { runs: unknown[] }) => domain.runs);
    return (
      runs.length > 0 &&
      runs.every((run: { hold: string; attempt: number }) => run.hold === 'partition' && run.attempt === 2)
    );
  });
  for (const { runs } of await domains()) {
    const masks = runs.map(({ mask }: { mask: number }) => mask);
    for (const [index, mask] of masks.entries())
      for (const other of masks.slice(index + 1)) assert.equal(mask & other, 0);
  }
  for (const id of ids) await first.request(`/runs/${id}`, { method: 'DELETE' });
  await eventually(
    'all ways free',
    async () => (await first.get('/cluster')).json.members[0].free_ways === free,
  );
  assert.deepEqual(await groupsKept(), []);
  for (const id of ids) assert.deepEqual(processesOf(id), [], 'no process of either attempt lives');
});
