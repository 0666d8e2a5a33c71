import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { KEPT_SIZES, KEPT_TIMES } from '../../../node/state/run-times.ts';
import type { Command } from '../../../protocols/schema/command.ts';
import type { RunResult, RunSpec } from '../../../protocols/schema/run.ts';
import { assignment, finish, LLC, spec, TASK, tablesWithTask } from './fixtures.ts';

/** Tables, and a function that lets a run of the task succeed. */
function setUp() {
  const { tables, apply } = tablesWithTask();
  let count = 0;
  const run = (
    over: Partial<RunSpec> & { ways?: number; seconds?: number; result?: Partial<RunResult> } = {},
    end: Partial<Extract<Command, { type: 'run-finish' }>> = {},
  ): void => {
    const { ways = 4, seconds = 0.005, result, ...more } = over;
    const id = `r${++count}`;
    apply({ type: 'run-create', spec: spec(id, more), assignment: assignment({ ways }) });
    const ended = finish(id, 1, 1, { llc: LLC, executionTimeNs: Math.round(seconds * 1e9), ...result });
    apply({ ...ended, atMs: 10_000 + count, ...end });
  };
  return { tables, apply, run, of: () => tables.runTimes(TASK.id) };
}

describe('run times', () => {
  test('a run that succeeded leaves its time, with where it ran', () => {
    const { run, of, tables } = setUp();
    run({ result: { enforcement: 'enforced' } });
    const time = {
      seconds: 0.005,
      ways: 4,
      llc: LLC,
      enforcement: 'enforced',
      atMs: 10_001,
    };
    const [series] = of();
    assert.deepEqual(series, {
      taskId: TASK.id,
      command: 'python3',
      inputSize: 100,
      times: [time],
      change: null,
    });
    assert.equal(tables.versions().observations, 1);
  });

  test('failed runs, benchmarks, measured runs and those of older nodes leave none', () => {
    const { run, of, tables } = setUp();
    run({}, { state: 'failed' });
    run({}, { result: null });
    run({ purpose: 'benchmark' });
    run({ measure: { profiler: 'cachegrind', ways: 1, wayBytes: 1 } });
    run({ result: { llc: null } });
    run({ seconds: 0 });
    assert.deepEqual([of(), tables.versions().observations], [[], 0]);
    assert.equal(tables.versions().runs, 12);
  });

  test('the last ones are kept, of the sizes that were run last', () => {
    const { run, of } = setUp();
    for (let i = 0; i < KEPT_TIMES + 5; i += 1) run({ seconds: 1 + i / 1e6 });
    const [series] = of();
    assert.equal(series?.times.length, KEPT_TIMES);
    assert.equal(series?.times[0]?.seconds, 1 + 5 / 1e6);
    for (let inputSize = 1; inputSize < KEPT_SIZES; inputSize += 1) run({ inputSize });
    run({ seconds: 1 });
    run({ inputSize: 1000 });
    assert.equal(of().length, KEPT_SIZES);
    assert.ok(
      !of().some(({ inputSize }) => inputSize === 1),
      'the one without a run for the longest is gone',
    );
    assert.equal(of().at(-1)?.inputSize, 1000);
    assert.ok(of().some(({ inputSize }) => inputSize === 100));
  });

  test('commands are kept apart', () => {
    const { run, of } = setUp();
    run();
    run({ command: 'pypy' });
    assert.deepEqual(
      of().map(({ command, times }) => [command, times.length]),
      [
        ['python3', 1],
        ['pypy', 1],
      ],
    );
  });
});

describe('a change of behaviour', () => {
  const held = { enforcement: 'enforced' } as const;

  test('is seen once five runs agree on it, and stays known after the times before are gone', () => {
    const { run, of } = setUp();
    for (let i = 0; i < 8; i += 1) run({ seconds: 1 + i / 100, result: held });
    for (let i = 0; i < 4; i += 1) run({ seconds: 2, result: held });
    assert.equal(of()[0]?.change, null);
    run({ seconds: 2, result: held });
    const change = of()[0]?.change;
    assert.deepEqual(
      { ...change, beforeSeconds: undefined },
      { sinceMs: 10_009, ways: 4, held: true, beforeSeconds: undefined, afterSeconds: 2 },
    );
    for (let i = 0; i < KEPT_TIMES; i += 1) run({ seconds: 2, result: held });
    assert.deepEqual(of()[0]?.change, change);
  });

  test('that leads back is forgotten', () => {
    const { run, of } = setUp();
    for (const seconds of [1, 2, 1]) for (let i = 0; i < 10; i += 1) run({ seconds, result: held });
    assert.equal(of()[0]?.change, null);
  });

  test('is not seen in noise, nor by one wild run, nor in runs with other ways', () => {
    const { run, of } = setUp();
    for (let i = 0; i < 30; i += 1) run({ seconds: i % 2 ? 1 : 2, result: held });
    assert.equal(of()[0]?.change, null);
    for (let i = 0; i < 12; i += 1) run({ inputSize: 5, ways: 8, seconds: i === 7 ? 90 : 1, result: held });
    for (let i = 0; i < 9; i += 1) run({ inputSize: 5, ways: 2, seconds: 3, result: held });
    assert.equal(of().at(-1)?.change, null);
  });

  test('takes more and clearer runs where nothing held the ways', () => {
    const { run, of } = setUp();
    for (let i = 0; i < 20; i += 1) run({ seconds: 1 });
    for (let i = 0; i < 9; i += 1) run({ seconds: 2 });
    assert.equal(of()[0]?.change, null);
    run({ seconds: 2 });
    assert.equal(of()[0]?.change?.held, false);
  });
});
