import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { ReportDesk, type ReportDeskDependencies } from '../../../node/master/report-desk.ts';
import type { AttemptReport } from '../../../protocols/schema/attempt.ts';
import type { Command } from '../../../protocols/schema/command.ts';
import { fail, succeed } from '../../../protocols/schema/outcome.ts';
import { dispatchOf, peerId, resultOf } from '../../builders/nouns.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { spec, tablesWithTask } from '../state/fixtures.ts';

const [WORKER, LIAR] = ['worker', 'liar'].map(peerId) as [string, string];
const { runId, attempt, term } = dispatchOf();
const FENCE = { runId, attempt, term, atMs: 1 };
const REPORT: AttemptReport = { ...FENCE, state: 'succeeded', result: null, error: null };

const noise = (byte: number) => ({ bytes: new Uint8Array(100_000).fill(byte), truncated: false });
const loud = (byte: number, fence = FENCE): AttemptReport => ({
  ...{ ...fence, state: 'succeeded', error: null },
  result: { ...resultOf(), stdout: noise(byte), stderr: noise(byte + 100) },
});

/** A desk of one run that is placed on WORKER. `replicate` may be made to wait, or to fail. */
function deskWith(replicate: ReportDeskDependencies['replicate']) {
  const { tables, apply } = tablesWithTask();
  const proposed: string[] = [];
  const ingested: string[] = [];
  const desk = new ReportDesk({
    tables,
    propose: async (command: Command) => {
      proposed.push(command.type);
      return succeed(apply(command));
    },
    shelf: {
      ingest: async (content) => {
        const hash = createHash('sha256');
        for await (const chunk of content) hash.update(chunk);
        const sha256 = hash.digest('hex');
        ingested.push(sha256);
        return succeed({ sha256, size: 1 });
      },
      open: async () => null,
    },
    replicate,
    clock: new FakeClock(),
    logger: silentLogger,
  });
  const assignment = { node: WORKER, domain: 0, ways: 1, term, attempt, atMs: 1 };
  apply({ type: 'run-create', spec: spec(runId), assignment });
  return { desk, tables, apply, proposed, ingested };
}

test('what would not apply is neither stored nor proposed', async () => {
  const { desk, apply, proposed, ingested } = deskWith(async () => succeed(undefined));
  const late = { ...FENCE, term: term + 1 };
  assert.equal((await desk.started(WORKER, late)).type, 'refused');
  assert.equal((await desk.report(WORKER, loud(1, late))).type, 'refused');
  assert.equal((await desk.started(WORKER, FENCE)).type, 'ok');
  assert.equal((await desk.started(WORKER, FENCE)).type, 'refused');
  assert.deepEqual([proposed, ingested], [['run-start'], []]);
  apply({ type: 'run-cancel', runId, atMs: 3 });
  assert.equal((await desk.report(WORKER, loud(1))).type, 'refused');
  assert.deepEqual([proposed, ingested], [['run-start'], []]);
});

test('of many reports of a run at once one is taken', async () => {
  const gate = Promise.withResolvers<void>();
  const { desk, proposed, ingested } = deskWith(async () => succeed(await gate.promise));
  const first = desk.report(WORKER, loud(0));
  const others = await Promise.all([1, 2, 3, 4].map((byte) => desk.report(WORKER, loud(byte))));
  assert.ok(others.every(({ type }) => type === 'not-master'));
  gate.resolve();
  assert.equal((await first).type, 'ok');
  assert.deepEqual([proposed, ingested.length], [['run-finish'], 2]);
});

test('a run that is cancelled while its output is stored is proposed no more', async () => {
  const { desk, apply, proposed } = deskWith(async () => {
    apply({ type: 'run-cancel', runId, atMs: 3 });
    return succeed(undefined);
  });
  assert.equal((await desk.report(WORKER, loud(0))).type, 'refused');
  assert.deepEqual(proposed, []);
});

test('while nothing can be replicated, a worker may repeat its report, and not send ever new ones', async () => {
  let isFull = true;
  const full = fail({ code: 'UNAVAILABLE', message: 'full', retryAfterSeconds: 1 } as const);
  const { desk, ingested } = deskWith(async () => (isFull ? full : succeed(undefined)));
  for (let i = 0; i < 20; i++) assert.equal((await desk.report(WORKER, loud(0))).type, 'not-master');
  assert.equal(new Set(ingested).size, 1);
  for (let i = 1; i < 100; i++) await desk.report(WORKER, loud(i));
  assert.ok(new Set(ingested).size <= 3, `${new Set(ingested).size} outputs of one attempt were stored`);
  isFull = false;
});

test('of an attempt only the node that carries it out may tell', async () => {
  const { tables, apply } = tablesWithTask();
  const proposed: string[] = [];
  const propose = async (command: Command) => {
    proposed.push(command.type);
    return succeed(apply(command));
  };
  const desk = new ReportDesk({
    tables,
    propose,
    shelf: { ingest: async () => fail({ code: 'DISK', message: 'none' }), open: async () => null },
    replicate: async () => succeed(undefined),
    clock: new FakeClock(),
    logger: silentLogger,
  });
  const assignment = { node: WORKER, domain: 0, ways: 1, term, attempt, atMs: 1 };
  apply({ type: 'run-create', spec: spec(runId), assignment });
  for (const answer of [await desk.started(LIAR, FENCE), await desk.report(LIAR, REPORT)])
    assert.ok(answer.type === 'refused' && answer.code === 'STALE');
  for (const other of [attempt - 1, attempt + 1]) {
    const answers = [
      await desk.started(WORKER, { ...FENCE, attempt: other }),
      await desk.report(WORKER, { ...REPORT, attempt: other }),
    ];
    for (const answer of answers) assert.ok(answer.type === 'refused' && answer.code === 'STALE');
  }
  assert.deepEqual([proposed, tables.run(runId)?.state], [[], 'assigned']);
  assert.equal((await desk.started(WORKER, FENCE)).type, 'ok');
  assert.equal((await desk.report(WORKER, REPORT)).type, 'ok');
  assert.equal(tables.run(runId)?.state, 'succeeded');
});
