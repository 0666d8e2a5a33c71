/** Curves of real programs in valgrind's simulated cache of 16 ways of 128 KiB. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { CachegrindProfiler } from '../../../node/worker/profilers/cachegrind.ts';
import { nextWays } from '../../../predictor/adaptive-ways.ts';
import type { Measurement } from '../../../protocols/schema/run.ts';
import { compile, missingTools, PROGRAMS } from '../../support/c-programs.ts';

const WAYS = 16;
const WAY_BYTES = 128 * 1024;
const run = promisify(execFile);
const profiler = new CachegrindProfiler({ searchPath: process.env.PATH ?? '/usr/bin:/bin' });

describe('curves by cachegrind', { skip: missingTools() }, () => {
  let folder = '';
  let count = 0;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fsched-valgrind-'));
    assert.ok((await profiler.available()).ok);
  });
  after(() => rm(folder, { recursive: true }));

  async function measure(command: readonly [string, ...string[]], ways: number): Promise<Measurement> {
    const directory = join(folder, `run-${String(++count).padStart(4, '0')}`);
    execFileSync('mkdir', [directory]);
    const instrument = profiler.instrument({ profiler: 'cachegrind', ways, wayBytes: WAY_BYTES });
    const [program, ...args] = await instrument.wrap(command, directory, null);
    const { stderr } = await run(program, args, { cwd: directory });
    assert.equal(stderr, '', 'standard error stays the program’s');
    await instrument.collect(directory);
    const reading = instrument.reading(1);
    assert.ok(reading.ok, JSON.stringify(reading));
    return reading.value;
  }

  /** Slowdown by ways, as a benchmark would measure it. */
  async function curve(program: string, size: number): Promise<Map<number, number>> {
    const binary = compile(program, folder);
    const points: { ways: number; seconds: number[] }[] = [];
    for (;;) {
      const next = nextWays(points, WAYS, { deterministic: true });
      if (next === null) break;
      points.push({ ways: next, seconds: [(await measure([binary, String(size)], next)).seconds] });
    }
    const full = points.find((point) => point.ways === WAYS)?.seconds[0] ?? 0;
    return new Map(
      points
        .map(({ ways, seconds }) => [ways, (seconds[0] ?? 0) / full] as const)
        .sort((a, b) => a[0] - b[0]),
    );
  }

  const shown = (slowdown: ReadonlyMap<number, number>): string =>
    [...slowdown].map(([ways, value]) => `${ways}:${value.toFixed(2)}`).join(' ');

  test('an array that is swept in a cycle falls off a cliff where it fits', async (t) => {
    const slowdown = await curve(PROGRAMS.sweep, 700);
    t.diagnostic(shown(slowdown));
    // 700 KiB and a little are 6 ways of 128 KiB.
    assert.ok((slowdown.get(4) ?? slowdown.get(5) ?? 0) > 2);
    assert.ok((slowdown.get(6) ?? slowdown.get(7) ?? 9) < 1.05);
    assert.ok(slowdown.size <= 8);
  });

  test('a blocked matrix product falls off a cliff too', async (t) => {
    const slowdown = await curve(PROGRAMS.matrix, 160);
    t.diagnostic(shown(slowdown));
    assert.ok((slowdown.get(1) ?? 0) > 1.2);
    assert.ok(slowdown.size <= 8);
  });

  test('random access over more than the cache declines smoothly', async (t) => {
    const slowdown = await curve(PROGRAMS.random, 2048);
    t.diagnostic(shown(slowdown));
    const values = [...slowdown.values()];
    assert.ok((values[0] ?? 0) > 1.5);
    assert.ok(values.every((value, index) => index === 0 || value <= (values[index - 1] ?? 0) + 1e-9));
    const drops = values.slice(1).map((value, index) => (values[index] ?? 0) - value);
    assert.ok(Math.max(...drops) < 0.6 * ((values[0] ?? 0) - 1), 'no cliff');
    assert.ok(slowdown.size <= 10);
  });

  test('arithmetic is flat: two executions', async (t) => {
    const slowdown = await curve(PROGRAMS.arithmetic, 300_000);
    t.diagnostic(shown(slowdown));
    assert.deepEqual([...slowdown.keys()], [1, 16]);
    assert.ok((slowdown.get(1) ?? 9) < 1.02);
  });

  test('the same numbers twice, and all of them', async () => {
    const binary = compile(PROGRAMS.random, folder);
    const first = await measure([binary, '256'], 4);
    assert.deepEqual(await measure([binary, '256'], 4), first);
    assert.ok(first.counts && first.counts.iRefs > 0 && first.counts.l1Misses >= first.counts.llMisses);
  });

  test('what a script starts, or becomes, is counted', async () => {
    const binary = compile(PROGRAMS.arithmetic, folder);
    const alone = await measure([binary, '300000'], 2);
    const script = join(folder, 'script.sh');
    for (const line of [`${binary} $1; true`, `exec ${binary} $1`]) {
      await writeFile(script, `${line}\n`);
      const measured = await measure(['/bin/sh', script, '300000'], 2);
      assert.ok((measured.counts?.iRefs ?? 0) >= 0.95 * (alone.counts?.iRefs ?? Number.NaN), line);
    }
  });

  test('a program that leaves no counts is told of', async () => {
    const instrument = profiler.instrument({ profiler: 'cachegrind', ways: 2, wayBytes: WAY_BYTES });
    const directory = join(folder, 'killed');
    execFileSync('mkdir', [directory]);
    const command = ['/bin/sh', '-c', 'rm -r .fsched-cachegrind'] as const;
    const [program, ...args] = await instrument.wrap(command, directory, null);
    await run(program, args, { cwd: directory });
    await instrument.collect(directory);
    const reading = instrument.reading(1);
    assert.match(reading.ok ? '' : reading.error, /valgrind left no counts/);
  });
});
