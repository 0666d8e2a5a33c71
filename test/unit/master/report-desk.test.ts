import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReportDesk } from '../../../node/master/report-desk.ts';
import type { AttemptReport } from '../../../protocols/schema/attempt.ts';
import type { Command } from '../../../protocols/schema/command.ts';
import { fail, succeed } from '../../../protocols/schema/outcome.ts';
import { dispatchOf, peerId } from '../../builders/nouns.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { spec, tablesWithTask } from '../state/fixtures.ts';

const [WORKER, LIAR] = ['worker', 'liar'].map(peerId) as [string, string];
const { runId, attempt, term } = dispatchOf();
const FENCE = { runId, attempt, term, atMs: 1 };
const REPORT: AttemptReport = { ...FENCE, state: 'succeeded', result: null, error: null };

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
