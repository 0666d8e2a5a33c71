import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BenchmarkService } from '../../../node/master/benchmark-service.ts';
import type { DomainOffer } from '../../../node/master/placement.ts';
import type { BenchmarkRequest } from '../../../node/master/requests.ts';
import type { MeasurePlan } from '../../../node/master/run-service.ts';
import { CapacityBoard } from '../../../node/membership/capacity-board.ts';
import { createRun } from '../../../node/state/run-lifecycle.ts';
import type { CacheGeometry, MeasuredCurve, Prediction } from '../../../predictor/types.ts';
import { type Answer, fail, succeed } from '../../../protocols/schema/outcome.ts';
import type { ProcessCensus, Run, RunResult, RunState } from '../../../protocols/schema/run.ts';
import type { Measure } from '../../../protocols/schema/task.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { finish, spec, TASK, tablesWithTask } from '../state/fixtures.ts';

const MIB = 1024 * 1024;
const DOMAIN: DomainOffer = {
  node: 'a',
  domain: 0,
  ways: 16,
  wayBytes: 1.25 * MIB,
  freeWays: 16,
  cpus: 2,
  freeCpus: 2,
};
const CACHEGRIND = ['cachegrind', 'wallclock'];

interface Ending {
  readonly state?: RunState;
  readonly seconds?: number;
  readonly error?: string;
  readonly enforcement?: RunResult['enforcement'];
  readonly processes?: ProcessCensus;
}

/** A cluster that carries out measurements as the test says. `measure` null: the program by itself. */
class Bench {
  readonly plans: MeasurePlan[] = [];
  readonly cancelled: string[] = [];
  readonly clock = new FakeClock();
  readonly state = tablesWithTask();
  domains: readonly DomainOffer[] = [DOMAIN];
  carryOut: (measure: Measure | null) => Ending | 'never' = () => ({});
  /** Knows nothing: where a measured point doesn't settle it, any number of ways may be too few. */
  predict = ([known]: readonly MeasuredCurve[], { ways }: CacheGeometry): Prediction => {
    const full = known?.points.at(-1)?.seconds[0] ?? 1;
    const slow = known?.points.filter(({ seconds }) => (seconds[0] ?? 0) > 1.05 * full) ?? [];
    const fast = known?.points.filter(({ seconds }) => (seconds[0] ?? 0) <= 1.05 * full) ?? [];
    const exceeds = Array.from({ length: ways }, (_, i) => {
      if (fast.some((point) => point.ways <= i + 1)) return [0];
      return [slow.some((point) => point.ways >= i + 1) ? 1 : 0.5];
    });
    const slowdown = exceeds.map(([risk = 0]) => 1 + risk);
    return {
      mode: 'BENCHMARKED',
      slowdown,
      quantiles: [],
      tail: { thresholds: [1.05], exceeds },
      fullCacheSeconds: full,
    };
  };
  readonly #board = new CapacityBoard({ clock: this.clock, logger: silentLogger });
  readonly #runs = new Map<string, { run: Run; ending: Ending | 'never' }>();
  readonly #service: BenchmarkService;

  constructor(profilers: Readonly<Record<string, readonly string[]>> = { a: CACHEGRIND }) {
    for (const [node, names] of Object.entries(profilers)) {
      const base = { name: node, version: '0', sequence: 1, startedAtMs: 1, cpus: 2, memoryBytes: 1 };
      const load = {
        freeMemoryBytes: 1,
        load1: 0,
        enforcement: 'unenforced',
        domains: [],
        runs: [],
        modelVersion: null,
        takesRuns: true,
        troubles: [],
      } as const;
      this.#board.hear({ node, cpuModel: `CPU of ${node}`, ...base, ...load, profilers: names });
    }
    this.#service = new BenchmarkService(
      { timeLimitMs: 60_000 },
      {
        tables: this.state.tables,
        board: this.#board,
        domains: () => this.domains,
        runs: { measure: async (_request, plan) => this.#admit(plan) },
        finished: (id, signal) => this.#finished(id, signal),
        cancel: async (id) => {
          this.cancelled.push(id);
          return fail({ code: 'NOT_FOUND', message: '' });
        },
        propose: async (command) => succeed(this.state.apply(command)),
        predictor: { predict: (known, _size, geometry) => this.predict(known, geometry) },
        clock: this.clock,
      },
    );
  }

  benchmark(changes: Partial<BenchmarkRequest> = {}, signal = new AbortController().signal) {
    const request = {
      taskId: TASK.id,
      command: './task',
      inputSize: 5,
      timeLimitMs: null,
      idempotencyKey: null,
    };
    return this.#service.benchmark({ ...request, profiler: 'auto', executions: null, ...changes }, signal);
  }

  get measured(): (number | null)[] {
    return this.plans.map((plan) => plan.measure?.ways ?? null);
  }

  #admit(plan: MeasurePlan): Answer<Run> {
    this.plans.push(plan);
    const run = createRun(spec(`run${this.plans.length}`, { ...plan, purpose: 'benchmark' }), null);
    this.#runs.set(run.spec.id, { run, ending: this.carryOut(plan.measure ?? null) });
    return succeed(run);
  }

  async #finished(id: string, signal: AbortSignal): Promise<Answer<Run>> {
    const known = this.#runs.get(id);
    assert.ok(known);
    const { run, ending } = known;
    if (ending === 'never') {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return fail({ code: 'UNAVAILABLE', message: 'the client went away' });
    }
    const { state = 'succeeded', seconds = 1, error = null, enforcement = 'unenforced' } = ending;
    const { result } = finish(id);
    assert.ok(result);
    const { processes = null } = ending;
    const read = run.spec.measure && state === 'succeeded' ? { seconds, counts: null, processes } : null;
    const outcome: RunResult = { ...result, executionTimeNs: seconds * 1e9, measurement: read, enforcement };
    return succeed({ ...run, state, result: outcome, error });
  }
}

const message = (answer: Answer<unknown>): string => (answer.ok ? '' : answer.error.message);

describe('a benchmark', () => {
  test('by cachegrind: one real way, the simulable cache, as few executions as the curve needs', async () => {
    const bench = new Bench();
    bench.carryOut = (measure) => ({ seconds: measure && measure.ways < 7 ? 3 : 1 });
    const answer = await bench.benchmark();
    assert.ok(answer.ok, message(answer));
    const { points, measuredAtMs: _, ...profile } = answer.value;
    assert.deepEqual(profile, {
      taskId: TASK.id,
      inputSize: 5,
      command: './task',
      profiler: 'cachegrind',
      note: null,
      ways: 20,
      wayBytes: MIB,
      cpuModel: 'CPU of a',
      node: 'a',
    });
    assert.deepEqual(bench.measured.slice(0, 3), [null, 20, 1]);
    const ways = points.map((point) => point.ways);
    assert.deepEqual(
      ways,
      ways.toSorted((a, b) => a - b),
    );
    assert.ok(ways.includes(6) && ways.includes(7) && ways.length <= 8, String(ways));
    assert.ok(bench.plans.every((plan) => plan.ways === 1 && plan.pinnedTo?.node === 'a'));
    assert.deepEqual(bench.state.tables.profiles(TASK.id), [answer.value]);
  });

  test('with few executions measures where they tell the most, and no more', async () => {
    for (const [executions, edge] of [
      [2, 7],
      [3, 7],
      [6, 7],
      [6, 16],
      [6, 2],
    ] as const) {
      const bench = new Bench();
      bench.carryOut = (measure) => ({ seconds: measure && measure.ways < edge ? 3 : 1 });
      const answer = await bench.benchmark({ executions });
      assert.ok(answer.ok, message(answer));
      const ways = answer.value.points.map((point) => point.ways);
      assert.deepEqual(bench.measured.slice(0, 2), [null, 20]);
      assert.ok(bench.measured.length <= 1 + executions, `${bench.measured}`);
      // 20 ways are settled by halves with the full cache and five more.
      if (executions === 6) assert.ok(ways.includes(edge) && ways.includes(edge - 1), `${edge}: ${ways}`);
      else assert.equal(bench.measured.length, 1 + executions);
    }
  });

  test('of a command that starts other programs says what was measured', async () => {
    const bench = new Bench();
    bench.carryOut = () => ({ processes: { count: 31, mostly: '/bin/bash /shims/python3', share: 0.704 } });
    const answer = await bench.benchmark();
    assert.ok(answer.ok, message(answer));
    assert.match(
      answer.value.note ?? '',
      /^31 processes were measured and added up; most of it \(70 %\) is \/bin\/bash \/shims\/python3; .*name the interpreter itself/,
    );
  });

  test('by time: the real ways are reserved, points are repeated, the samples kept', async () => {
    const bench = new Bench({ a: ['wallclock'] });
    const answer = await bench.benchmark();
    assert.ok(answer.ok);
    assert.deepEqual(bench.measured, [null, 16, 1, 1, 16, 1, 16]);
    assert.deepEqual(
      bench.plans.map((plan) => plan.ways),
      [16, 16, 1, 1, 16, 1, 16],
    );
    assert.deepEqual([answer.value.profiler, answer.value.ways], ['wallclock', 16]);
    assert.deepEqual(answer.value.points[0], { ways: 1, seconds: [1, 1, 1] });
  });

  test('the time limit of a simulated run: a hundredfold, less when the program is known to be quick', async () => {
    for (const [alone, timeLimitMs, expected] of [
      [0.01, null, 60_000],
      [2, null, 600_000],
      [2, 1_000, 100_000],
    ] as const) {
      const bench = new Bench();
      bench.carryOut = () => ({ seconds: alone });
      await bench.benchmark({ timeLimitMs });
      assert.equal(bench.plans[0]?.timeLimitMs, timeLimitMs ?? 60_000);
      assert.equal(bench.plans[1]?.timeLimitMs, expected);
    }
  });
});

describe('auto', () => {
  const wallclock = async (bench: Bench, changes: Partial<BenchmarkRequest>, note: RegExp) => {
    const answer = await bench.benchmark(changes);
    assert.ok(answer.ok, message(answer));
    assert.equal(answer.value.profiler, 'wallclock');
    assert.match(answer.value.note ?? '', note);
    assert.equal(answer.value.ways, 16);
  };

  test('goes where the best profiler is, and there to the quietest domain', async () => {
    const bench = new Bench({ a: ['wallclock'], b: CACHEGRIND });
    const busy = { ...DOMAIN, node: 'b', domain: 1, freeWays: 3 };
    bench.domains = [DOMAIN, busy, { ...DOMAIN, node: 'b', domain: 2, freeWays: 9 }];
    await bench.benchmark();
    assert.deepEqual(bench.plans[0]?.pinnedTo, { node: 'b', domain: 2 });
    // Where other programs hold the whole cache nobody is, but nothing can be measured.
    bench.plans.length = 0;
    bench.domains = [{ ...DOMAIN, node: 'b', domain: 3, ways: 0, freeWays: 0 }, busy];
    await bench.benchmark();
    assert.deepEqual(bench.plans[0]?.pinnedTo, { node: 'b', domain: 1 });
    bench.domains = [DOMAIN, busy];
    bench.plans.length = 0;
    await bench.benchmark({ profiler: 'wallclock' });
    assert.equal(bench.plans[0]?.pinnedTo?.node, 'a');
  });

  test('times what compiles while it runs, and says so', async () => {
    for (const command of ['node', '/usr/bin/node --test', 'env java -jar', 'pypy3.10'])
      await wallclock(new Bench(), { command }, /compiles while it runs/);
    for (const command of ['python3', './node-like', 'sh -c node']) {
      const answer = await new Bench().benchmark({ command });
      assert.equal(answer.ok && answer.value.profiler, 'cachegrind', command);
    }
    const named = await new Bench().benchmark({ command: 'node', profiler: 'cachegrind' });
    assert.ok(named.ok && named.value.profiler === 'cachegrind');
  });

  test('times what valgrind cannot run, and says so', async () => {
    const bench = new Bench();
    bench.carryOut = (measure) =>
      measure?.profiler === 'cachegrind' ? { state: 'failed', error: 'Illegal instruction.' } : {};
    await wallclock(bench, {}, /works by itself, but not by cachegrind.*Illegal instruction/);
  });

  test('believes resctrl only where it held the partition, and goes on to the next best', async () => {
    const profilers = { a: ['resctrl', ...CACHEGRIND] };
    const held = new Bench(profilers);
    held.carryOut = () => ({ enforcement: 'enforced' });
    const answer = await held.benchmark();
    assert.ok(answer.ok);
    assert.deepEqual([answer.value.profiler, answer.value.note], ['resctrl', null]);
    assert.deepEqual(
      held.plans.map((plan) => plan.ways),
      [16, 16, 1, 1, 16, 1, 16],
    );
    const lost = await new Bench(profilers).benchmark();
    assert.ok(lost.ok && lost.value.profiler === 'cachegrind');
    assert.match(lost.value.note ?? '', /resctrl did not hold the partition/);
    const named = await new Bench(profilers).benchmark({ profiler: 'resctrl' });
    assert.match(message(named), /resctrl did not hold the partition/);
  });

  test('times what would be simulated for long, and says so', async () => {
    const bench = new Bench();
    bench.carryOut = () => ({ seconds: 7 });
    await wallclock(bench, {}, /takes 7\.0 s by itself/);
    const named = await bench.benchmark({ profiler: 'cachegrind' });
    assert.ok(named.ok && named.value.profiler === 'cachegrind');
  });
});

describe('nothing is kept, and a sentence says why,', () => {
  const refused = async (bench: Bench, code: string, sentence: RegExp, changes = {}) => {
    const answer = await bench.benchmark(changes);
    assert.equal(answer.ok ? 'ok' : answer.error.code, code, message(answer));
    assert.match(message(answer), sentence);
    assert.deepEqual(bench.state.tables.profiles(TASK.id), []);
  };

  test('when the program fails by itself', async () => {
    const bench = new Bench();
    bench.carryOut = () => ({ state: 'failed', error: 'The program ended with exit status 3.' });
    await refused(bench, 'UNPROCESSABLE', /run1 with 1 ways failed .*status 3/);
    assert.equal(bench.plans.length, 1);
  });

  test('when the profiler that was named cannot run it, or is nowhere', async () => {
    const bench = new Bench();
    bench.carryOut = (measure) => (measure ? { state: 'timed_out', error: 'Too slow.' } : {});
    await refused(bench, 'UNPROCESSABLE', /not by cachegrind.*timed out/, { profiler: 'cachegrind' });
    const none = /no node can measure by resctrl now; it can be had: cachegrind, wallclock/;
    await refused(new Bench(), 'UNPROCESSABLE', none, { profiler: 'resctrl' });
  });

  test('when one of its runs is cancelled or lost', async () => {
    for (const state of ['cancelled', 'lost'] as const) {
      const bench = new Bench();
      bench.carryOut = (measure) => (measure?.ways === 1 ? { state } : {});
      await refused(bench, 'UNAVAILABLE', new RegExp(`the benchmark stopped.*${state}`));
      assert.equal(bench.plans.length, 3);
    }
  });

  test('when the client goes away: its run is cancelled, and no other begins', async () => {
    const bench = new Bench();
    const client = new AbortController();
    bench.carryOut = (measure) => {
      if (measure?.ways !== 1) return {};
      setImmediate(() => client.abort());
      return 'never';
    };
    const answer = await bench.benchmark({}, client.signal);
    assert.equal(answer.ok, false);
    assert.deepEqual(bench.cancelled, ['run3']);
    assert.equal(bench.plans.length, 3);
    assert.deepEqual(bench.state.tables.profiles(TASK.id), []);
  });

  test('when there is no such task, or no node is heard', async () => {
    await refused(new Bench(), 'NOT_FOUND', /no task x/, { taskId: 'x' });
    const bench = new Bench();
    bench.domains = [];
    await refused(bench, 'UNAVAILABLE', /no node has told its cache/);
  });
});

test('profiles of one size by different profilers stand beside each other', async () => {
  const bench = new Bench();
  for (const profiler of ['wallclock', 'cachegrind', 'wallclock'] as const)
    assert.ok((await bench.benchmark({ profiler })).ok);
  const kept = bench.state.tables.profiles(TASK.id).map((profile) => profile.profiler);
  assert.deepEqual(kept.toSorted(), ['cachegrind', 'wallclock']);
});
