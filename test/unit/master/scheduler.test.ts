import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Dispatcher } from '../../../node/master/dispatcher.ts';
import { NODE_LOST_MS, Reconciler } from '../../../node/master/reconciler.ts';
import { Scheduler } from '../../../node/master/scheduler.ts';
import { CapacityBoard } from '../../../node/membership/capacity-board.ts';
import type { Mesh } from '../../../node/mesh/types.ts';
import { keyIdOf, open, seal } from '../../../node/secrets/sealing.ts';
import type { HeldAttempt } from '../../../protocols/schema/attempt.ts';
import type { CapacityNotice } from '../../../protocols/schema/capacity.ts';
import type { ControlRequest, ControlResponse } from '../../../protocols/schema/messages.ts';
import { fail, succeed } from '../../../protocols/schema/outcome.ts';
import { domainOf, memberOf, noticeOf, peerId } from '../../builders/nouns.ts';
import { emptyVault } from '../../support/empty-vault.ts';
import { FakeClock, settled } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { finish, spec, TASK, tablesWithTask } from '../state/fixtures.ts';

const [NODE_A, NODE_B] = [peerId('node-a'), peerId('node-b')];

function notice(node: string, ways = 16, cpus = 4): CapacityNotice {
  const ids = Array.from({ length: cpus }, (_, i) => i);
  return noticeOf(node, { cpus, domains: [domainOf({ cpus: ids, ways, freeWays: ways, wayBytes: 1 })] });
}

/** A scheduler over real tables; every proposal is applied at once, as if a majority had it. */
function setUp(
  options: {
    readonly queueLimit?: number;
    readonly nodes?: readonly CapacityNotice[];
    readonly open?: typeof emptyVault.open;
  } = {},
) {
  const { tables, apply } = tablesWithTask();
  const clock = new FakeClock();
  const board = new CapacityBoard({ clock, logger: silentLogger });
  const nodes = options.nodes ?? [notice(NODE_A)];
  for (const node of nodes) {
    board.hear(node);
    const member = memberOf(node.node);
    apply({ type: 'member-put', member });
  }
  const calls: { readonly to: string; readonly request: ControlRequest }[] = [];
  const answers = new Map<string, (request: ControlRequest) => ControlResponse | null>();
  const call: Mesh['call'] = async (to, request) => {
    calls.push({ to, request });
    const answer = answers.get(to)?.(request) ?? (answers.has(to) ? null : ({ type: 'ok' } as const));
    return answer ? succeed(answer) : fail({ code: 'UNREACHABLE', message: 'no route' });
  };
  const propose = async (command: Parameters<typeof apply>[0]) => succeed(apply(command));
  const dispatcher = new Dispatcher({
    tables,
    propose,
    call,
    vault: { ...emptyVault, ...(options.open && { open: options.open }) },
    clock,
    logger: silentLogger,
  });
  const random = { next: () => 0.5, id: () => 'id' };
  const scheduler = new Scheduler(
    { queueLimit: options.queueLimit ?? 10 },
    { self: NODE_A, tables, board, dispatcher, propose, term: () => 1, clock, random, logger: silentLogger },
  );
  const reconciler = new Reconciler({ tables, dispatcher, call, clock, logger: silentLogger });
  const dispatched = (): string[] =>
    calls.flatMap(({ to, request }) =>
      request.type === 'dispatch' ? [`${request.dispatch.runId}@${to}`] : [],
    );
  const hearAll = (): void => {
    for (const [i, node] of nodes.entries())
      board.hear({ ...node, sequence: Math.round(clock.monotonicMs()) + 2 + i });
  };
  scheduler.start();
  return { tables, apply, clock, answers, calls, scheduler, reconciler, dispatched, hearAll };
}

describe('a node that lies', () => {
  const BLACK_HOLE = notice(NODE_A, 64, 1000);

  test('and answers nothing gets no more than some runs, and the others go elsewhere', async () => {
    const { scheduler, answers, dispatched } = setUp({
      queueLimit: 1000,
      nodes: [notice(NODE_B, 64, 1000), { ...BLACK_HOLE, domains: BLACK_HOLE.domains.map(hungry) }],
    });
    const never = new Promise<ControlResponse>(() => {});
    answers.set(NODE_A, () => never as unknown as ControlResponse);
    void Promise.all(Array.from({ length: 100 }, (_, i) => scheduler.admit(spec(`r${i}`, { ways: 1 }))));
    await settled();
    const there = dispatched().filter((run) => run.endsWith(NODE_A)).length;
    assert.ok(there <= 64, `${there} runs went to the node that answers nothing`);
    assert.ok(dispatched().length > there, 'others run');
  });

  test('and refuses all is asked ever more seldom, until it takes one', async () => {
    const { scheduler, answers, clock, dispatched, hearAll } = setUp({ queueLimit: 10 });
    answers.set(NODE_A, (request) =>
      request.type === 'dispatch' ? { type: 'refused', code: 'NO', message: 'no' } : { type: 'ok' },
    );
    await scheduler.admit(spec('r'));
    const tries = async (ms: number): Promise<number> => {
      const before = dispatched().length;
      for (let passed = 0; passed < ms; passed += 250) {
        clock.advance(250);
        hearAll();
        await settled();
      }
      return dispatched().length - before;
    };
    const early = await tries(10_000);
    const late = await tries(10_000);
    assert.ok(late < early && late <= 2, `${early} tries, then ${late}`);
    answers.set(NODE_A, () => ({ type: 'ok' }));
    await tries(60_000);
    await scheduler.admit(spec('taken'));
    answers.set(NODE_A, () => ({ type: 'refused', code: 'NO', message: 'no' }));
    await scheduler.admit(spec('next'));
    const again = await tries(3_000);
    assert.ok(again >= 2, `what it refused long ago counts no more: ${again} tries`);
  });
});

/** Makes its domain the best fit for whatever comes. */
const hungry = (domain: CapacityNotice['domains'][number]): CapacityNotice['domains'][number] => ({
  ...domain,
  ways: 63,
  freeWays: 63,
});

describe('the secrets of a run', () => {
  const KEY = new Uint8Array(32);
  const secret = (name: string, text: string) => ({ name, value: new TextEncoder().encode(text) });
  const ownSecrets = [seal(KEY, 'run r', secret('A', 'own'))];

  function withSecrets(open: typeof emptyVault.open) {
    const bench = setUp({ open });
    const { apply } = bench;
    apply({ type: 'cluster-key-put', id: keyIdOf(KEY), removals: 0 });
    const secrets = ['A', 'B'].map((name) => seal(KEY, `task ${TASK.id}`, secret(name, 'shared')));
    apply({ type: 'task-secrets', taskId: TASK.id, secrets });
    const handed = () =>
      bench.calls.flatMap(({ request }) => (request.type === 'dispatch' ? [request.dispatch.secrets] : []));
    return { ...bench, handed };
  }
  const opener: typeof emptyVault.open = (owner, sealed) =>
    succeed(sealed.map((each) => open(KEY, owner, each) ?? assert.fail(`${each.name} is not for ${owner}`)));

  test('go opened to its node, its own before the task has the same name', async () => {
    const { scheduler, handed } = withSecrets(opener);
    await scheduler.admit(spec('r', { secrets: ownSecrets }));
    assert.deepEqual(handed(), [[secret('B', 'shared'), secret('A', 'own')]]);
  });

  test('are waited for when this master has not the key yet, and the run is not given up', async () => {
    let hasKey = false;
    const { scheduler, handed, reconciler, tables, clock, answers } = withSecrets((owner, sealed) =>
      hasKey ? opener(owner, sealed) : fail({ code: 'NO_KEY', message: 'not yet' }),
    );
    answers.set(NODE_A, ({ type }) => (type === 'held' ? { type, attempts: [] } : { type: 'ok' }));
    await scheduler.admit(spec('r', { secrets: ownSecrets }));
    reconciler.start();
    await clock.pass(10_000);
    assert.deepEqual([handed(), tables.run('r')?.state, tables.run('r')?.attempts], [[], 'assigned', 1]);
    hasKey = true;
    await clock.pass(1_500);
    assert.equal(handed().length, 1);
    reconciler.stop();
  });

  test('that are damaged end the run, with a sentence', async () => {
    const damaged = { code: 'DAMAGED', message: 'the secret A is damaged: hand it in again' } as const;
    const { scheduler, tables, clock, handed } = withSecrets(() => fail(damaged));
    await scheduler.admit(spec('r', { secrets: ownSecrets }));
    await clock.pass(5_000);
    assert.deepEqual([tables.run('r')?.state, handed()], ['lost', []]);
    assert.match(tables.run('r')?.error ?? '', /the secret A is damaged/);
  });

  test('sealed under a key that was just replaced are refused with a request to ask again', async () => {
    const { scheduler, apply } = withSecrets(opener);
    apply({ type: 'cluster-key-put', id: '0'.repeat(32), removals: 0 });
    const refused = await scheduler.admit(spec('r', { secrets: ownSecrets }));
    assert.ok(!refused.ok && refused.error.code === 'UNAVAILABLE');
  });
});

describe('admission', () => {
  test('a run with room is placed and dispatched at once', async () => {
    const { scheduler, dispatched } = setUp();
    const outcome = await scheduler.admit(spec('r'));
    assert.ok(outcome.ok && outcome.value.state === 'assigned');
    assert.deepEqual(dispatched(), [`r@${NODE_A}`]);
    assert.equal(scheduler.freeWays(), 12);
  });

  test('requests in flight together never get the same ways', async () => {
    const { scheduler, tables } = setUp();
    await Promise.all(['a', 'b', 'c'].map((id) => scheduler.admit(spec(id, { ways: 8 }))));
    assert.deepEqual(
      ['a', 'b', 'c'].map((id) => tables.run(id)?.state),
      ['assigned', 'assigned', 'queued'],
    );
  });

  test('what waits starts when ways come free, without being asked again', async () => {
    const { scheduler, tables, apply, clock, dispatched } = setUp();
    await scheduler.admit(spec('a', { ways: 16 }));
    await scheduler.admit(spec('b', { ways: 16 }));
    assert.equal(tables.run('b')?.state, 'queued');
    apply(finish('a'));
    clock.advance(1);
    await settled();
    assert.equal(tables.run('b')?.state, 'assigned');
    assert.deepEqual(dispatched(), [`a@${NODE_A}`, `b@${NODE_A}`]);
  });

  test('a run that is measured in a partition starts once its domain is empty, and is alone then', async () => {
    const { scheduler, tables, apply, clock, hearAll } = setUp();
    const measure = { profiler: 'resctrl', ways: 2, wayBytes: 1 } as const;
    const pinnedTo = { node: NODE_A, domain: 0 };
    await scheduler.admit(spec('before', { ways: 1 }));
    await scheduler.admit(spec('measured', { ways: 2, measure, pinnedTo, purpose: 'benchmark' }));
    await scheduler.admit(spec('beside', { ways: 1 }));
    const states = () => ['before', 'measured', 'beside'].map((id) => tables.run(id)?.state);
    // FakeClock begins long after the runs were made: the measured one is no longer overtaken.
    assert.deepEqual(states(), ['assigned', 'queued', 'queued']);
    apply(finish('before'));
    clock.advance(1);
    await settled();
    assert.deepEqual(states(), ['succeeded', 'assigned', 'queued']);
    assert.equal(scheduler.freeWays(), 0);
    hearAll();
    clock.advance(1000);
    await settled();
    assert.deepEqual(states(), ['succeeded', 'assigned', 'queued']);
    apply(finish('measured'));
    clock.advance(1);
    await settled();
    assert.deepEqual(states(), ['succeeded', 'succeeded', 'assigned']);
  });

  test('a full queue refuses, and nothing is changed', async () => {
    const { scheduler, tables } = setUp({ queueLimit: 1 });
    await scheduler.admit(spec('a', { ways: 16 }));
    await scheduler.admit(spec('b', { ways: 16 }));
    const refused = await scheduler.admit(spec('c', { ways: 16 }));
    assert.ok(
      !refused.ok && refused.error.code === 'QUEUE_FULL' && (refused.error.retryAfterSeconds ?? 0) > 0,
    );
    assert.equal(tables.run('c'), undefined);
  });

  test('a node that is not heard gets nothing', async () => {
    const { scheduler, tables, clock } = setUp();
    clock.advance(6_000);
    await scheduler.admit(spec('r'));
    assert.equal(tables.run('r')?.state, 'queued');
  });
});

describe('dispatch', () => {
  test('a node that refuses loses the run to another one', async () => {
    const { scheduler, tables, answers, clock, dispatched } = setUp({
      nodes: [notice(NODE_A), notice(NODE_B)],
    });
    answers.set(NODE_A, () => ({ type: 'refused', code: 'FULL', message: 'no ways' }));
    await scheduler.admit(spec('r'));
    await settled();
    clock.advance(1);
    await settled();
    assert.deepEqual(dispatched(), [`r@${NODE_A}`, `r@${NODE_B}`]);
    assert.equal(tables.run('r')?.assignment?.attempt, 2);
  });

  test('a worker is told of a run that gains nothing from cache', async () => {
    const { scheduler, calls } = setUp();
    await scheduler.admit(spec('own'));
    await scheduler.admit(spec('shares', { ways: 1, sensitive: false }));
    const told = calls.map(({ request }) =>
      request.type === 'dispatch' ? request.dispatch.sensitive : null,
    );
    assert.deepEqual(told, [true, false]);
    assert.equal(scheduler.freeWays(), 16 - 4 - 1);
    for (const id of ['a', 'b', 'c']) await scheduler.admit(spec(id, { ways: 1, sensitive: false }));
    assert.equal(scheduler.freeWays(), 16 - 4 - 1, 'four share one way (and here their CPUs are used up)');
  });

  test('a cancelled run is ended on its node', async () => {
    const { scheduler, apply, calls } = setUp();
    await scheduler.admit(spec('r'));
    apply({ type: 'run-cancel', runId: 'r', atMs: 1 });
    assert.deepEqual(calls.at(-1), { to: NODE_A, request: { type: 'cancel', runId: 'r', attempt: 1 } });
  });
});

describe('reconciliation', () => {
  const held = (attempts: readonly HeldAttempt[]): ControlResponse => ({ type: 'held', attempts });
  const attempt = (runId: string, number: number): HeldAttempt => ({
    runId,
    attempt: number,
    term: 1,
    domain: 0,
    ways: 4,
    phase: 'running',
  });

  test('a run that its node no longer has is queued again', async () => {
    const { scheduler, reconciler, tables, answers } = setUp();
    answers.set(NODE_A, (request) => (request.type === 'held' ? held([]) : { type: 'ok' }));
    await scheduler.admit(spec('r'));
    await settled();
    scheduler.stop();
    reconciler.start();
    await settled();
    assert.equal(tables.run('r')?.state, 'queued');
    assert.match(tables.run('r')?.error ?? '', /no longer has it/);
  });

  test('a run that an earlier master assigned and never brought is brought by the next', async () => {
    const { apply, reconciler, answers, dispatched } = setUp();
    answers.set(NODE_A, (request) => (request.type === 'held' ? held([]) : { type: 'ok' }));
    const assignment = { node: NODE_A, domain: 0, ways: 4, term: 0, attempt: 1, atMs: 1 };
    apply({ type: 'run-create', spec: spec('r'), assignment });
    reconciler.start();
    await settled();
    assert.deepEqual(dispatched(), [`r@${NODE_A}`]);
  });

  test('an attempt that nobody wants is ended; one that runs as it should is left alone', async () => {
    const { scheduler, reconciler, answers, calls, tables } = setUp();
    answers.set(NODE_A, (request) =>
      request.type === 'held' ? held([attempt('r', 1), attempt('ghost', 3)]) : { type: 'ok' },
    );
    await scheduler.admit(spec('r'));
    await settled();
    reconciler.start();
    await settled();
    const cancels = calls.filter(({ request }) => request.type === 'cancel');
    assert.deepEqual(
      cancels.map(({ request }) => request),
      [{ type: 'cancel', runId: 'ghost', attempt: 3 }],
    );
    assert.equal(tables.run('r')?.state, 'assigned');
  });

  test('a node keeps its runs through a short silence and loses them in a long one', async () => {
    const { scheduler, reconciler, answers, tables, clock, hearAll } = setUp();
    await scheduler.admit(spec('r'));
    await settled();
    answers.set(NODE_A, () => null);
    reconciler.start();
    for (let at = 0; at < NODE_LOST_MS - 1_000; at += 1_000) {
      clock.advance(1_000);
      await settled();
    }
    assert.equal(tables.run('r')?.state, 'assigned');
    scheduler.stop();
    for (let at = 0; at < 3_000; at += 1_000) {
      clock.advance(1_000);
      hearAll();
      await settled();
    }
    assert.equal(tables.run('r')?.state, 'queued');
  });
});
