/**
 * What each layer of the worker adds to a program: a bare start of the same program, and a dispatch to its report with
 * nothing, pinned, in a partition (of an emulation that answers at once, so that what is measured is the latch), with
 * limits, as another user, and in the sandbox. All in one run, in turn, so that whatever else happens on the machine
 * falls on all of them. Run: `npm run bench:launch -- [ROUNDS]`.
 */

import { spawn } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, systemRandom } from '../../node/adapters.ts';
import type { Lease, PartitionsView } from '../../node/llc/partitions/types.ts';
import { UnenforcedPartitions } from '../../node/llc/partitions/unenforced.ts';
import { discoverTopology } from '../../node/llc/topology.ts';
import { type IsolationOptions, PLAIN, UNLIMITED } from '../../node/worker/isolation/types.ts';
import { ProcessLauncher } from '../../node/worker/process-launcher.ts';
import { Worker } from '../../node/worker/worker.ts';
import type { AttemptReport } from '../../protocols/schema/attempt.ts';
import { fail } from '../../protocols/schema/outcome.ts';
import { dispatchOf } from '../builders/nouns.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { printHead, printRow, summarize } from './statistics.ts';

/** Takes every process, so that programs are held at the latch. */
class LatchedPartitions extends UnenforcedPartitions {
  override view(): PartitionsView {
    return { ...super.view(), state: 'holding' };
  }

  override async enter(lease: Lease) {
    return { enforcement: lease.enforcement, reason: lease.reason };
  }
}

interface Layer {
  readonly name: string;
  readonly pinned: boolean;
  readonly latched: boolean;
  readonly isolation: Partial<IsolationOptions>;
}

interface OpenLayer extends AsyncDisposable {
  run(): Promise<number>;
}

const rounds = Number(process.argv[2] ?? 50);
const directory = await mkdtemp(join(tmpdir(), 'fsched-bench-'));
await chmod(directory, 0o711);
const file = join(directory, 'true.sh');
await writeFile(file, 'exit 0\n');
const topology = await discoverTopology();
const ports = { clock: systemClock, random: systemRandom, logger: silentLogger };
const limits = { ...UNLIMITED, memoryBytes: 4 * 1024 ** 3, processes: 512, openFiles: 1024 };
const isRoot = process.geteuid?.() === 0;
const LAYERS: readonly Layer[] = [
  { name: 'through the worker', pinned: false, latched: false, isolation: {} },
  { name: '+ pinned', pinned: true, latched: false, isolation: {} },
  { name: '+ latch and partition', pinned: true, latched: true, isolation: {} },
  { name: '+ limits', pinned: true, latched: true, isolation: { limits } },
  ...(isRoot
    ? [{ name: '+ another user', pinned: true, latched: true, isolation: { limits, runAs: 'nobody' } }]
    : []),
  {
    name: '+ sandbox',
    pinned: true,
    latched: true,
    isolation: { limits, sandbox: 'on', ...(isRoot ? { runAs: 'nobody' } : {}) },
  },
];

function bare(): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('sh', [file, '1'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.once('error', reject);
    child.once('close', () => resolve());
    child.stdout.resume();
    child.stderr.resume();
  });
}

async function open({ pinned, latched, isolation }: Layer, number: number): Promise<OpenLayer> {
  let report: PromiseWithResolvers<AttemptReport> = Promise.withResolvers();
  const domains = topology.domains.slice(0, 1).map((domain) => (pinned ? domain : { ...domain, cpus: [] }));
  const seen = { ...topology, domains };
  const Partitions = latched ? LatchedPartitions : UnenforcedPartitions;
  const worker = new Worker(
    {},
    {
      ...ports,
      topology: seen,
      partitions: new Partitions({ reason: 'measured' }, { topology: seen }),
      launcher: new ProcessLauncher(
        {
          directory: join(directory, `work-${number}`),
          openDirectory: join(directory, `open-${number}`),
          searchPath: process.env.PATH ?? '',
          isolation: { ...PLAIN, ...isolation },
        },
        ports,
      ),
      instrument: () => fail('It measures nothing.'),
      shortage: () => null,
      taskFile: async () => file,
      onChange: () => undefined,
      deliverStarted: () => undefined,
      deliverReport: async (delivered) => {
        report.resolve(delivered);
        return 'accepted';
      },
    },
  );
  await worker.start();
  let runs = 0;
  const run = async () => {
    report = Promise.withResolvers();
    const outcome = await worker.dispatch(
      dispatchOf({
        runId: `bench${number}x${runs++}`,
        attempt: 1,
        term: 1,
        taskId: 'bench',
        fileName: 'true.sh',
        sha256: '0'.repeat(64),
        command: 'sh',
        inputSize: 1,
        parameters: null,
        timeLimitMs: 60_000,
        domain: domains[0]?.id ?? 0,
        ways: 1,
      }),
    );
    if (!outcome.ok) throw new Error(outcome.error.message);
    const { result, state, error } = await report.promise;
    if (state !== 'succeeded' || result === null) throw new Error(`the program did not succeed: ${error}`);
    return result.executionTimeNs / 1e6;
  };
  return { run, [Symbol.asyncDispose]: () => worker.stop() };
}

async function timed(task: () => Promise<unknown>): Promise<number> {
  const before = performance.now();
  await task();
  return performance.now() - before;
}

const opened: { name: string; layer: OpenLayer; wall: number[]; own: number[] }[] = [];
for (const [number, layer] of LAYERS.entries()) {
  try {
    opened.push({ name: layer.name, layer: await open(layer, number), wall: [], own: [] });
  } catch (error) {
    console.log(`${layer.name}: not measured: ${error instanceof Error ? error.message : error}`);
  }
}
const bareMs: number[] = [];
for (let round = -5; round < rounds; round++) {
  const ms = await timed(bare);
  if (round >= 0) bareMs.push(ms);
  for (const { layer, wall, own } of opened) {
    let ownMs = 0;
    const wallMs = await timed(async () => {
      ownMs = await layer.run();
    });
    // The first rounds only warm up.
    if (round >= 0) {
      wall.push(wallMs);
      own.push(ownMs);
    }
  }
}
for (const { layer } of opened) await layer[Symbol.asyncDispose]();
await rm(directory, { recursive: true });

const median = (sample: readonly number[]) => summarize(sample).median;
console.log(`\`sh FILE 1\`, from the dispatch to the report, ms; added: to the median of the row above`);
printHead();
printRow('bare start', 'ms', bareMs, 2);
let before = median(bareMs);
for (const { name, wall, own } of opened) {
  printRow(name, 'ms', wall, 2);
  const added = (median(wall) - before).toFixed(2);
  console.log(`  added ${added} ms; told as the program's own time: ${median(own).toFixed(2)} ms`);
  before = median(wall);
}
