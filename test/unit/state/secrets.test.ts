import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode as encodeCbor } from 'cborg';
import { hasSecrets } from '../../../node/state/inputs.ts';
import { Tables } from '../../../node/state/tables.ts';
import type { SealedSecret } from '../../../protocols/schema/secret.ts';
import { memberOf, peerId } from '../../builders/nouns.ts';
import { assignment, finish, spec, TASK, tablesWithTask } from './fixtures.ts';

const [K1, K2] = ['1'.repeat(32), '2'.repeat(32)];
const sealed = (keyId: string, name = 'SECRET'): SealedSecret => ({
  name,
  size: 3,
  sealed: { keyId, box: 'AAAA' },
});
const task = (id: string, keyId: string) => ({ ...TASK, id, secrets: [sealed(keyId)] });
const STALE = { ok: false, code: 'STALE' };
const MEMBER = memberOf(peerId('a'));

test('secrets are taken under the current key only, and not while a member that was removed knows it', () => {
  const { tables, apply } = tablesWithTask();
  const create = (id: string, keyId: string) => apply({ type: 'task-create', task: task(id, keyId) });
  assert.deepEqual(create('t2', K1), STALE);
  apply({ type: 'cluster-key-put', id: K1, removals: 0 });
  assert.deepEqual(create('t2', K1), { ok: true });
  assert.deepEqual(create('t3', K2), STALE);
  const run = spec('r1', { secrets: [sealed(K1)] });
  assert.deepEqual(apply({ type: 'run-create', spec: run, assignment: null }), { ok: true, runId: 'r1' });
  apply({ type: 'member-put', member: MEMBER });
  apply({ type: 'member-remove', id: MEMBER.id, atMs: 1 });
  assert.deepEqual([tables.clusterKey.current, tables.clusterKey.isFresh], [K1, false]);
  assert.deepEqual(create('t3', K1), STALE);
  assert.deepEqual(apply({ type: 'run-create', spec: { ...run, id: 'r2' }, assignment: null }), STALE);
  assert.equal(tables.run('r2'), undefined);
  // Without secrets all goes on.
  assert.deepEqual(apply({ type: 'task-create', task: { ...TASK, id: 't4' } }), { ok: true });
});

test('a key that was made before a removal is refused: who was removed may have had it', () => {
  const { tables, apply } = tablesWithTask();
  apply({ type: 'member-put', member: MEMBER });
  apply({ type: 'member-remove', id: MEMBER.id, atMs: 1 });
  assert.deepEqual(apply({ type: 'cluster-key-put', id: K1, removals: 0 }), STALE);
  assert.equal(tables.clusterKey.current, null);
  assert.deepEqual(apply({ type: 'cluster-key-put', id: K2, removals: 1 }), { ok: true });
  assert.ok(tables.clusterKey.isFresh);
});

test('the secrets of a task are sealed anew, and it stays the function of its name', () => {
  const { tables, apply } = tablesWithTask();
  apply({ type: 'cluster-key-put', id: K1, removals: 0 });
  apply({ type: 'task-create', task: task('t2', K1) });
  apply({ type: 'cluster-key-put', id: K2, removals: 0 });
  const renew = (taskId: string, keyId: string) =>
    apply({ type: 'task-secrets', taskId, secrets: [sealed(keyId)] });
  assert.deepEqual(renew('t2', K1), STALE);
  const before = tables.fingerprint();
  assert.deepEqual(renew('t2', K2), { ok: true });
  assert.notEqual(tables.fingerprint(), before);
  assert.deepEqual(tables.taskNamed(TASK.name), task('t2', K2));
  assert.deepEqual(tables.task('t2'), task('t2', K2));
  // The function of the name is another task.
  assert.deepEqual(apply({ type: 'task-secrets', taskId: TASK.id, secrets: [] }), { ok: true });
  assert.equal(tables.taskNamed(TASK.name)?.id, 't2');
  assert.deepEqual(renew('nope', K2), { ok: false, code: 'NOT_FOUND' });
  tables.reset();
  assert.equal(tables.clusterKey.current, null);
});

test('a run that is over keeps the names and sizes of its secrets, and can be told from another by them', () => {
  const { tables, apply } = tablesWithTask();
  apply({ type: 'cluster-key-put', id: K1, removals: 0 });
  const secrets = [sealed(K1, 'A'), sealed(K1, 'B')];
  for (const id of ['r', 'c'])
    apply({ type: 'run-create', spec: spec(id, { secrets }), assignment: assignment() });
  apply(finish('r'));
  apply({ type: 'run-cancel', runId: 'c', atMs: 1 });
  const value = new Uint8Array(3);
  for (const id of ['r', 'c']) {
    const over = tables.run(id)?.spec;
    assert.ok(over);
    assert.deepEqual(
      over.secrets,
      ['A', 'B'].map((name) => ({ name, size: 3, sealed: null })),
    );
    assert.ok(
      hasSecrets(over, [
        { name: 'A', value },
        { name: 'B', value },
      ]),
    );
    assert.ok(!hasSecrets(over, [{ name: 'A', value }]));
    assert.ok(
      !hasSecrets(over, [
        { name: 'A', value },
        { name: 'C', value },
      ]),
    );
    assert.ok(
      !hasSecrets(over, [
        { name: 'A', value },
        { name: 'B', value: new Uint8Array(4) },
      ]),
    );
  }
});

test('tasks and runs of a log of format 1 have no secrets', () => {
  const tables = new Tables();
  const format1 = (command: unknown): Uint8Array => Uint8Array.from([1, ...encodeCbor(command)]);
  const { secrets: _, ...oldTask } = TASK;
  const { secrets: __, ...oldSpec } = spec('r');
  assert.deepEqual(tables.apply(format1({ type: 'task-create', task: oldTask }), 1), { ok: true });
  const created = tables.apply(format1({ type: 'run-create', spec: oldSpec, assignment: null }), 2);
  assert.deepEqual(created, { ok: true, runId: 'r' });
  assert.deepEqual([tables.task(TASK.id), tables.run('r')?.spec], [TASK, spec('r')]);
});
