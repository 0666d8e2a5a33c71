/**
 * Run by `exhausted.test.ts`, with few descriptors: takes all of them, does one thing, and says what came of it. What
 * rejects where nobody waits ends it, as it would a daemon.
 */
import { closeSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { DirectoryFlock } from '../../../node/flock.ts';
import { measureTree } from '../../../node/worker/disk-usage.ts';
import { succeeds } from '../../../node/worker/exec-chain.ts';
import { PipePool } from '../../../node/worker/pipe-pool.ts';
import { RunCensus } from '../../../node/worker/run-usage.ts';

const directory = await mkdtemp(join(tmpdir(), 'fsched-exhausted-'));
await mkdir(join(directory, 'run'));
const pool = new PipePool(join(directory, 'pipes'));
const run = { name: 'run', pid: process.pid, uid: 1, reachesShared: true, readWrittenBytes: () => 0 };
const shared = { of: () => ({ bytes: 0, files: 0 }) };
const census = new RunCensus({ files: null }, { shared });

async function countRun(): Promise<unknown> {
  let counted: unknown = 'nothing';
  await census.measure(directory, [run], (_name, usage) => {
    counted = usage;
  });
  return counted;
}

const deeds: Record<string, () => Promise<unknown>> = {
  usage: () => measureTree(directory, 'run', { files: null, ms: 10_000 }),
  census: countRun,
  pipes: () => pool.take(),
  lock: () => new DirectoryFlock({ directory }).acquire(),
  tool: () => succeeds(['/bin/true'], {}),
};

/** Once while nothing is left, and once when all is well again. */
async function attempt(deed: () => Promise<unknown>): Promise<unknown> {
  return deed().catch((error: Error) => error.message);
}

const [, , name = ''] = process.argv;
const deed = deeds[name];
if (deed === undefined) throw new Error(`there is no deed ${name}`);
// Loaded when a first process is started.
await succeeds(['/bin/true'], {});
const taken: number[] = [];
try {
  for (;;) taken.push(openSync('/dev/null', 'r'));
} catch {
  // There is none left.
}
const without = await attempt(deed);
for (let turn = 0; turn < 20; turn++) await breathe();
for (const fd of taken) closeSync(fd);
await rm(directory, { recursive: true });
process.stdout.write(JSON.stringify({ without }));
process.exit();
