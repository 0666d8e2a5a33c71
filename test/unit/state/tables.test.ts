import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { encodeCommand } from '../../../node/state/commands.ts';
import { hasParameters } from '../../../node/state/inputs.ts';
import { MAX_ATTEMPTS } from '../../../node/state/run-lifecycle.ts';
import { Tables } from '../../../node/state/tables.ts';
import type { Command } from '../../../protocols/schema/command.ts';
import { isTerminal } from '../../../protocols/schema/run.ts';
import { assignment, candidate, finish, LLC, spec, TASK, tablesWithTask } from './fixtures.ts';

describe('tasks', () => {
  test('the newest task with a name is the function', () => {
    const { tables, apply } = tablesWithTask();
    apply({ type: 'task-create', task: { ...TASK, id: 'task-2' } });
    assert.equal(tables.taskNamed('sort')?.id, 'task-2');
    assert.equal(tables.task('task-1')?.id, 'task-1');
  });

  test('a profile of an unknown task changes nothing', () => {
    const { tables, apply } = tablesWithTask();
    const profile = {
      taskId: 'nope',
      inputSize: 1,
      command: 'x',
      profiler: 'wallclock',
      note: null,
      ways: 16,
      wayBytes: 1,
      cpuModel: 'c',
      node: 'n',
      points: [],
      measuredAtMs: 1,
    } as const;
    assert.deepEqual(apply({ type: 'profile-put', profile }), { ok: false, code: 'NOT_FOUND' });
    assert.equal(tables.versions().profiles, 0);
  });
});

describe('the life of a run', () => {
  test('queued, assigned, running, succeeded', () => {
    const { tables, apply } = tablesWithTask();
    apply({ type: 'run-create', spec: spec('r'), assignment: null });
    assert.equal(tables.run('r')?.state, 'queued');
    apply({ type: 'run-assign', runId: 'r', assignment: assignment() });
    assert.equal(tables.run('r')?.state, 'assigned');
    apply({ type: 'run-start', runId: 'r', term: 1, attempt: 1, atMs: 1_400 });
    assert.equal(tables.run('r')?.state, 'running');
    assert.deepEqual(apply(finish('r')), { ok: true });
    assert.equal(tables.run('r')?.state, 'succeeded');
    assert.equal(tables.activeRuns().length, 0);
  });

  test('a result with a stale attempt or term is refused, and so is a second one', () => {
    const { tables, apply } = tablesWithTask();
    apply({ type: 'run-create', spec: spec('r'), assignment: assignment() });
    apply({ type: 'run-requeue', runId: 'r', attempt: 1, reason: 'node gone', atMs: 1_500 });
    assert.deepEqual(apply(finish('r', 1)), { ok: false, code: 'STALE' });
    apply({ type: 'run-assign', runId: 'r', assignment: assignment({ attempt: 2, term: 3 }) });
    assert.deepEqual(apply(finish('r', 1, 3)), { ok: false, code: 'STALE' });
    assert.deepEqual(apply(finish('r', 2, 1)), { ok: false, code: 'STALE' });
    assert.deepEqual(apply(finish('r', 2, 3)), { ok: true });
    assert.deepEqual(apply(finish('r', 2, 3)), { ok: false, code: 'STALE' });
    assert.equal(tables.run('r')?.attempts, 2);
  });

  test('an assignment must carry the next attempt', () => {
    const { apply } = tablesWithTask();
    apply({ type: 'run-create', spec: spec('r'), assignment: null });
    const ahead = { type: 'run-assign', runId: 'r', assignment: assignment({ attempt: 2 }) } as const;
    assert.deepEqual(apply(ahead), { ok: false, code: 'STALE' });
  });

  test(`lost after ${MAX_ATTEMPTS} attempts`, () => {
    const { tables, apply } = tablesWithTask();
    apply({ type: 'run-create', spec: spec('r'), assignment: null });
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
      assert.equal(tables.run('r')?.state, 'queued');
      apply({ type: 'run-assign', runId: 'r', assignment: assignment({ attempt }) });
      apply({ type: 'run-requeue', runId: 'r', attempt, reason: 'node gone', atMs: 1 });
    }
    assert.equal(tables.run('r')?.state, 'lost');
    assert.match(tables.run('r')?.error ?? '', /node gone/);
  });

  test('a benchmark is not carried on elsewhere', () => {
    const { tables, apply } = tablesWithTask();
    apply({ type: 'run-create', spec: spec('b', { purpose: 'benchmark' }), assignment: assignment() });
    apply({ type: 'run-requeue', runId: 'b', attempt: 1, reason: 'node gone', atMs: 1 });
    assert.equal(tables.run('b')?.state, 'lost');
  });

  test('cancelled runs stay cancelled', () => {
    const { tables, apply } = tablesWithTask();
    apply({ type: 'run-create', spec: spec('r'), assignment: assignment() });
    assert.deepEqual(apply({ type: 'run-cancel', runId: 'r', atMs: 1 }), { ok: true });
    assert.deepEqual(apply(finish('r')), { ok: false, code: 'STALE' });
    assert.equal(tables.run('r')?.state, 'cancelled');
  });

  test('the same idempotency key gives the same run', () => {
    const { tables, apply } = tablesWithTask();
    apply({ type: 'run-create', spec: spec('r', { idempotencyKey: 'k' }), assignment: null });
    const again = apply({ type: 'run-create', spec: spec('s', { idempotencyKey: 'k' }), assignment: null });
    assert.deepEqual(again, { ok: false, code: 'EXISTS', runId: 'r' });
    assert.equal(tables.run('s'), undefined);
    assert.equal(tables.runWithKey('k')?.spec.id, 'r');
  });

  test('of the runs that are over the oldest are dropped, with their keys; never one that is not over', () => {
    const { tables, apply } = tablesWithTask({ keptFinishedRuns: 2 });
    for (const id of ['a', 'b', 'c', 'd']) {
      apply({
        type: 'run-create',
        spec: spec(id, { idempotencyKey: `key-${id}` }),
        assignment: assignment(),
      });
      if (id !== 'a') apply(finish(id));
    }
    assert.deepEqual(
      [...tables.runs()].map((run) => run.spec.id),
      ['a', 'c', 'd'],
    );
    assert.equal(tables.runWithKey('key-b'), undefined);
  });
});

test('parameters are kept as long as the run may be carried out; then their size and hash', () => {
  const { tables, apply } = tablesWithTask();
  const parameters = '{"word":"ä"}';
  apply({ type: 'run-create', spec: spec('r', { parameters }), assignment: assignment() });
  apply({ type: 'run-requeue', runId: 'r', attempt: 1, reason: 'gone', atMs: 5 });
  assert.equal(tables.run('r')?.spec.parameters, parameters);
  apply({ type: 'run-assign', runId: 'r', assignment: assignment({ attempt: 2 }) });
  apply(finish('r', 2));
  const over = tables.run('r')?.spec;
  assert.ok(over);
  assert.equal(over.parameters, null);
  assert.deepEqual([over.droppedParameters?.bytes, over.droppedParameters?.sha256.length], [13, 64]);
  assert.deepEqual(
    [parameters, '{"word":"o"}', null].map((text) => hasParameters(over, text)),
    [true, false, false],
  );
});

test('runs that are over are bounded by their outputs too, but for the last', () => {
  const { tables, apply } = tablesWithTask({ keptFinishedBytes: 100 });
  const end = (id: string, bytes: number): void => {
    apply({ type: 'run-create', spec: spec(id), assignment: assignment() });
    const command = finish(id);
    const stdout = {
      kind: 'inline',
      encoding: 'utf8',
      data: 'x'.repeat(bytes),
      size: bytes,
      truncated: false,
    } as const;
    apply({ ...command, result: command.result && { ...command.result, stdout } });
  };
  const kept = () => [...tables.runs()].map((run) => run.spec.id);
  for (const [id, bytes] of [
    ['a', 40],
    ['b', 40],
    ['c', 20],
  ] as const)
    end(id, bytes);
  assert.deepEqual(kept(), ['a', 'b', 'c']);
  end('d', 1);
  assert.deepEqual(kept(), ['b', 'c', 'd']);
  end('e', 500);
  assert.deepEqual(kept(), ['e']);
  tables.reset();
  apply({ type: 'task-create', task: TASK });
  end('f', 90);
  end('g', 10);
  assert.deepEqual(kept(), ['f', 'g'], 'what is gone no longer counts');
});

test('bytes that are no command change nothing', () => {
  const tables = new Tables();
  const before = tables.fingerprint();
  for (const text of ['', '{', 'null', '{"type":"nope"}', '{"type":"constructor"}', '\u0000']) {
    assert.deepEqual(tables.apply(new TextEncoder().encode(text), 1), { ok: false, code: 'MALFORMED' });
  }
  assert.equal(tables.fingerprint(), before);
});

describe('models', () => {
  test('a better one becomes the current version, if it was trained from the current one', () => {
    const { tables, apply } = tablesWithTask();
    assert.equal(tables.models.current, 0);
    const put = (changes: Parameters<typeof candidate>[0] = {}) =>
      apply({ type: 'model-put', model: candidate(changes) });
    assert.deepEqual(put(), { ok: true, modelVersion: 1 });
    assert.deepEqual(put(), { ok: false, code: 'STALE' });
    assert.deepEqual(put({ base: 1 }), { ok: true, modelVersion: 2 });
    assert.equal(tables.models.current, 2);
    assert.deepEqual(apply({ type: 'model-select', version: 1 }), { ok: true });
    assert.deepEqual(put({ base: 2 }), { ok: false, code: 'STALE' });
    assert.deepEqual(put({ base: 1 }), { ok: true, modelVersion: 3 });
    assert.deepEqual(
      tables.models.versions.map(({ version, base }) => [version, base]),
      [
        [1, 0],
        [2, 1],
        [3, 1],
      ],
    );
    assert.deepEqual(apply({ type: 'model-select', version: 4 }), { ok: false, code: 'NOT_FOUND' });
    assert.deepEqual(apply({ type: 'model-select', version: 0 }), { ok: true });
    assert.equal(tables.models.current, 0);
    assert.equal(tables.versions().models, 5);
  });

  test('the last are kept, and what was dropped is remembered with its scores', () => {
    const { tables, apply } = tablesWithTask();
    for (let base = 0; base < 20; base += 1) apply({ type: 'model-put', model: candidate({ base }) });
    const kept = tables.models.versions.map(({ version }) => version);
    assert.deepEqual([kept.length, kept[0], kept.at(-1)], [16, 5, 20]);
    assert.deepEqual(apply({ type: 'model-select', version: 4 }), { ok: false, code: 'NOT_FOUND' });
    const { sha256: _, size: __, ...dropped } = candidate({ base: 20, trainedAtMs: 9_000, seed: 8 });
    for (let i = 0; i < 20; i += 1) apply({ type: 'model-drop', model: dropped });
    assert.equal(tables.models.dropped.length, 16);
    assert.deepEqual(tables.models.dropped[0], dropped);
    assert.equal(tables.models.lastTraining()?.trainedAtMs, 9_000);
    assert.equal(tables.models.current, 20);
  });

  test('they are part of the fingerprint, and of what a reset forgets', () => {
    const { tables, apply } = tablesWithTask();
    const before = tables.fingerprint();
    apply({ type: 'model-put', model: candidate() });
    assert.notEqual(tables.fingerprint(), before);
    tables.reset();
    assert.equal(tables.fingerprint(), new Tables().fingerprint());
    assert.equal(tables.models.current, 0);
  });
});

const ids = fc.constantFrom('r1', 'r2', 'r3');
const small = fc.integer({ min: 1, max: 3 });
const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ id: ids, placed: fc.boolean(), key: fc.constantFrom(null, 'k1', 'k2') }).map(
    ({ id, placed, key }): Command => ({
      type: 'run-create',
      spec: spec(id, { idempotencyKey: key }),
      assignment: placed ? assignment() : null,
    }),
  ),
  fc.record({ runId: ids, attempt: small, term: small }).map(
    ({ runId, attempt, term }): Command => ({
      type: 'run-assign',
      runId,
      assignment: assignment({ attempt, term }),
    }),
  ),
  fc
    .record({ runId: ids, attempt: small, term: small })
    .map((fence): Command => ({ type: 'run-start', atMs: 5, ...fence })),
  fc
    .record({ runId: ids, attempt: small, term: small })
    .map(({ runId, attempt, term }) => finish(runId, attempt, term, { llc: LLC })),
  fc
    .record({ runId: ids, attempt: small })
    .map((fence): Command => ({ type: 'run-requeue', reason: 'because', atMs: 6, ...fence })),
  ids.map((runId): Command => ({ type: 'run-cancel', runId, atMs: 7 })),
  small.map((base): Command => ({ type: 'model-put', model: candidate({ base: base - 1 }) })),
  small.map((version): Command => ({ type: 'model-select', version: version - 1 })),
);

test('whatever the commands: a result is recorded at most once and never replaced, and indexes agree with runs', () => {
  fc.assert(
    fc.property(fc.array(anyCommand, { maxLength: 60 }), (commands) => {
      const { tables, apply } = tablesWithTask();
      const over = new Map<string, string>();
      for (const command of commands) {
        apply(command);
        for (const run of tables.runs()) {
          const known = over.get(run.spec.id);
          if (known !== undefined) assert.equal(JSON.stringify(run), known);
          else if (isTerminal(run)) over.set(run.spec.id, JSON.stringify(run));
        }
        const notOver = [...tables.runs()].filter((run) => !isTerminal(run));
        assert.deepEqual(new Set(tables.activeRuns()), new Set(notOver));
      }
    }),
  );
});

test('the same log gives the same tables', () => {
  fc.assert(
    fc.property(fc.array(anyCommand, { maxLength: 40 }), (commands) => {
      const [left, right] = [new Tables(), new Tables()];
      for (const [index, command] of [
        { type: 'task-create', task: TASK } as Command,
        ...commands,
      ].entries()) {
        left.apply(encodeCommand(command), index + 1);
        right.apply(encodeCommand(command), index + 1);
      }
      assert.equal(left.fingerprint(), right.fingerprint());
    }),
  );
});
