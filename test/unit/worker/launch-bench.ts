/** A worker with real processes in a directory of its own, for tests of what programs do. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, systemRandom } from '../../../node/adapters.ts';
import { readSpace } from '../../../node/disk/space.ts';
import type { Partitions } from '../../../node/llc/partitions/types.ts';
import { UnenforcedPartitions } from '../../../node/llc/partitions/unenforced.ts';
import { discoverTopology } from '../../../node/llc/topology.ts';
import type { LlcDomain } from '../../../node/llc/types.ts';
import { listProcesses, readEnvironment, readProcess } from '../../../node/procfs.ts';
import { type DiskLimits, DiskWatch } from '../../../node/worker/disk-watch.ts';
import { type IsolationOptions, PLAIN } from '../../../node/worker/isolation/types.ts';
import { ProcessLauncher } from '../../../node/worker/process-launcher.ts';
import type { Instrument } from '../../../node/worker/profilers/types.ts';
import { Worker } from '../../../node/worker/worker.ts';
import type { AttemptReport, Dispatch, StartedNotice } from '../../../protocols/schema/attempt.ts';
import { fail, succeed } from '../../../protocols/schema/outcome.ts';
import { dispatchOf } from '../../builders/nouns.ts';
import { silentLogger } from '../../support/silent-logger.ts';

export interface LaunchBenchOptions {
  readonly outputLimitBytes?: number;
  readonly searchPath?: string;
  readonly isolation?: Partial<IsolationOptions>;
  /** @default accounts only */
  readonly partitions?: Partitions;
  /** Of what the node keeps, which no program may see. @default [] */
  readonly hidden?: readonly string[];
  /** What runs may keep on disk. @default nobody looks */
  readonly disk?: DiskLimits;
  /** Where its directory is made. @default the one for temporary files */
  readonly base?: string;
  /** Of runs that are measured. @default none */
  readonly instrument?: Instrument;
}

export class LaunchBench implements AsyncDisposable {
  readonly directory: string;
  readonly domain: LlcDomain;
  readonly worker: Worker;
  readonly #reports = new Map<string, PromiseWithResolvers<AttemptReport>>();
  readonly #started = new Map<string, PromiseWithResolvers<StartedNotice>>();
  #source = '';

  private constructor(directory: string, domain: LlcDomain, options: LaunchBenchOptions) {
    this.directory = directory;
    this.domain = domain;
    const { searchPath, isolation, hidden, partitions, instrument, disk, ...workerOptions } = options;
    const ports = { clock: systemClock, random: systemRandom, logger: silentLogger };
    const topology = { domains: [domain], source: 'sysfs', cpuModel: 'test' } as const;
    const launch = {
      directory: join(directory, 'work'),
      openDirectory: join(directory, 'open'),
      searchPath: searchPath ?? process.env.PATH ?? '',
      lang: process.env.LANG ?? 'C.UTF-8',
      ...(isolation === undefined ? {} : { isolation: { ...PLAIN, ...isolation } }),
      ...(hidden === undefined ? {} : { hidden }),
    };
    this.worker = new Worker(workerOptions, {
      ...ports,
      topology,
      partitions: partitions ?? new UnenforcedPartitions({ reason: 'test' }, { topology }),
      launcher: new ProcessLauncher(launch, { ...ports, disk: disk ? watchOf(disk) : null }),
      instrument: () => (instrument ? succeed(instrument) : fail('it measures nothing')),
      shortage: () => null,
      taskFile: async () => this.#source,
      onChange: () => undefined,
      deliverStarted: (notice) => entry(this.#started, notice.runId).resolve(notice),
      deliverReport: async (report) => {
        entry(this.#reports, report.runId).resolve(report);
        return 'accepted';
      },
    });
  }

  static async create(options: LaunchBenchOptions = {}): Promise<LaunchBench> {
    const { domains } = await discoverTopology();
    const directory = await mkdtemp(join(options.base ?? tmpdir(), 'fsched-worker-'));
    // Another user must pass through to what was opened for it.
    await chmod(directory, 0o711);
    const bench = new LaunchBench(directory, { ...(domains[0] as LlcDomain), ways: 64 }, options);
    await bench.worker.start();
    return bench;
  }

  /** Dispatches a task whose file holds `source`; the run's id is the value. */
  async start(source: string | Uint8Array, changes: Partial<Dispatch> = {}): Promise<string> {
    const runId = changes.runId ?? `test${randomBytes(6).toString('hex')}`;
    this.#source = join(this.directory, `${runId}.source`);
    await writeFile(this.#source, source);
    const dispatch = dispatchOf({
      runId,
      domain: this.domain.id,
      ways: 1,
      command: process.execPath,
      ...changes,
    });
    assert.deepEqual(await this.worker.dispatch(dispatch), { ok: true, value: undefined });
    return runId;
  }

  /** Resolves when the program runs. */
  started(runId: string): Promise<StartedNotice> {
    return entry(this.#started, runId).promise;
  }

  reported(runId: string): Promise<AttemptReport> {
    return entry(this.#reports, runId).promise;
  }

  async run(source: string | Uint8Array, changes: Partial<Dispatch> = {}) {
    const runId = await this.start(source, changes);
    const report = await this.reported(runId);
    await this.assertNothingLeft(runId);
    return { ...report, runId, stdout: text(report, 'stdout'), stderr: text(report, 'stderr') };
  }

  /** Resolves with the standard output so far once it contains `part`. */
  async written(runId: string, part: string): Promise<string> {
    for (;;) {
      const output = this.worker.output(runId, 1, 'stdout', 0);
      const soFar = Buffer.from(output?.bytes ?? []).toString();
      if (soFar.includes(part)) return soFar;
      assert.ok(output !== null && !output.ended, `the program ended without writing ${part}: ${soFar}`);
      await new Promise<void>((resolve) => systemClock.after(5, resolve));
    }
  }

  /** No process of the run is alive, and nothing of it is in the work directory. */
  async assertNothingLeft(runId: string): Promise<void> {
    assert.deepEqual(await livingOf(runId), []);
    const names = [...readNames(join(this.directory, 'work')), ...readNames(join(this.directory, 'open'))];
    assert.deepEqual(
      names.filter((name) => name.startsWith(runId)),
      [],
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.worker.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** On a disk that has room for everything. */
function watchOf(limits: DiskLimits): DiskWatch {
  const reserve = { look: async () => undefined, room: null };
  return new DiskWatch(limits, { reserve, readSpace, clock: systemClock, logger: silentLogger });
}

/** Pids that carry the run in their environment and aren't zombies. */
export async function livingOf(runId: string): Promise<number[]> {
  const entries = (await listProcesses(0))?.entries ?? [];
  return entries
    .filter((process) => process.alive)
    .filter((process) => readEnvironment(process.pid)?.includes(`FSCHED_RUN_ID=${runId}\0`))
    .map((process) => process.pid);
}

function readNames(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}

/** False for a zombie, too. */
export function isAlive(pid: number): boolean {
  return readProcess(pid)?.alive === true;
}

function text(report: AttemptReport, stream: 'stdout' | 'stderr'): string {
  return Buffer.from(report.result?.[stream].bytes ?? []).toString();
}

function entry<T>(map: Map<string, PromiseWithResolvers<T>>, key: string): PromiseWithResolvers<T> {
  const found = map.get(key) ?? Promise.withResolvers<T>();
  map.set(key, found);
  return found;
}
