import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import type { CurveSet, FunctionCurve } from '../../../predictor/dataset/types.ts';
import { bisection } from '../../../predictor/eval/baselines/bisection.ts';
import { interpolation } from '../../../predictor/eval/baselines/interpolation.ts';
import { nearestNeighbour } from '../../../predictor/eval/baselines/nearest-neighbour.ts';
import { originalFit } from '../../../predictor/eval/baselines/original-fit.ts';
import { scaledKnee } from '../../../predictor/eval/baselines/scaled-knee.ts';
import { evaluate, ORACLE, type Report, type ReportRow } from '../../../predictor/eval/evaluate.ts';
import { judge } from '../../../predictor/eval/judge.ts';
import { type Answer, type Method, untrained } from '../../../predictor/eval/method.ts';
import { METHODS } from '../../../predictor/eval/methods.ts';
import { ADAPTIVE, BISECTION, benchmark, NONE } from '../../../predictor/eval/sampling.ts';
import { casesOf, SCENARIOS, type Scenario } from '../../../predictor/eval/scenarios.ts';
import { splitsOf } from '../../../predictor/eval/splits.ts';
import { type Asked, summarise } from '../../../predictor/eval/summary.ts';
import { formatReport } from '../../../predictor/eval/table.ts';
import { type Truth, truthOf } from '../../../predictor/eval/truth.ts';

const GEOMETRY = { ways: 16, wayBytes: 128 * 1024 };
/** Those that are dear to train take a minute for each time. */
const LIGHT = METHODS.filter(({ training }) => training !== 'heavy');
const BENCHMARKED_ALL: Scenario = { mode: 'benchmarked', points: 'all' };

function curve(
  name: string,
  inputSize: number,
  secondsAt: (ways: number) => number,
  ways = 16,
): FunctionCurve {
  const points = Array.from({ length: ways }, (_, index) => ({
    ways: index + 1,
    seconds: secondsAt(index + 1),
  }));
  return { name, inputSize, points };
}
const flat = (seconds: number) => () => seconds;
const cliff =
  (at: number, height: number, seconds = 1) =>
  (ways: number) =>
    ways < at ? seconds * height : seconds;

/** Working sets of `size` ways: cliffs at 2, 4 and 8 ways, a slope, and a flat. */
const SET: CurveSet = {
  geometry: GEOMETRY,
  curves: [
    ...[2, 4, 8].map((size) => curve('cliff', size, cliff(size, 2))),
    ...[10, 20, 30].map((size) => curve('flat', size, flat(size))),
    ...[1, 2, 3].map((size) => curve('slope', size, (ways) => 1 + (size * (16 - ways)) / 15)),
  ],
};

const rowOf = (
  report: Report,
  method: string,
  mode: Scenario['mode'],
  points: Scenario['points'],
): ReportRow => {
  const row = report.rows.find(
    ({ scenario, ...each }) => each.method === method && scenario.mode === mode && scenario.points === points,
  );
  assert.ok(row, `${method}, ${mode}, ${points}`);
  return row;
};

const answering = (answer: (ways: number) => Partial<Answer>, name = 'fixed'): Method =>
  untrained(name, ADAPTIVE, ({ geometry }) => ({
    slowdown: null,
    quantiles: [],
    ways: 1,
    ...answer(geometry.ways),
  }));

describe('truth', () => {
  const oracleOf = (each: FunctionCurve): number => (truthOf(each, GEOMETRY) as Truth).oracle;

  test('the oracle is the fewest ways from which on all stay within 5 %', () => {
    assert.equal(oracleOf(curve('f', 1, flat(3))), 1);
    assert.equal(oracleOf(curve('f', 1, cliff(7, 2))), 7);
    assert.equal(oracleOf(curve('f', 1, cliff(16, 2))), 16);
    assert.equal(oracleOf(curve('f', 1, (ways) => (ways === 9 ? 1.06 : 1))), 10);
    assert.equal(oracleOf(curve('f', 1, (ways) => (ways === 9 ? 1.05 : 1))), 1);
    assert.equal(oracleOf(curve('f', 1, (ways) => ways)), 1, 'rising with cache');
  });

  test('holes lie on straight lines and are not held against anyone', () => {
    const points = [1, 5, 16].map((ways) => ({ ways, seconds: ways === 1 ? 2 : 1 }));
    const truth = truthOf({ name: 'f', inputSize: 1, points }, GEOMETRY);
    assert.deepEqual(truth?.measured, [1, 5, 16]);
    assert.deepEqual(truth?.slowdown.slice(0, 5), [2, 1.75, 1.5, 1.25, 1]);
    assert.equal(truthOf({ name: 'f', inputSize: 1, points: points.slice(0, 1) }, GEOMETRY), null);
  });
});

describe('verdicts', () => {
  const truth = truthOf(curve('f', 1, cliff(5, 2)), GEOMETRY) as Truth;
  const one = new Array(16).fill(1);

  test('hold choices and curves against the truth', () => {
    const low = judge({ slowdown: one, quantiles: [], ways: 4 }, truth);
    assert.deepEqual([low.within, low.regret, low.oracle], [false, 1, 5]);
    assert.deepEqual(low.errors, [0.5, 0.5, 0.5, 0.5, ...new Array(12).fill(0)]);
    const high = judge({ slowdown: null, quantiles: [], ways: 9 }, truth);
    assert.deepEqual([high.within, high.regret, high.errors, high.band], [true, 0, [], null]);
  });

  test('count what the band covers, with and without the ways where it has no width', () => {
    const quantiles = [
      { level: 0.05, slowdown: one },
      { level: 0.95, slowdown: [3, 3, 1.5, 1.5, ...new Array(12).fill(1)] },
    ];
    const { band } = judge({ slowdown: one, quantiles, ways: 4 }, truth);
    assert.deepEqual(band, { all: 16, allCovered: 14, wide: 4, wideCovered: 2 });
  });

  test('nonsense is an error', () => {
    for (const bad of [
      { slowdown: null, quantiles: [], ways: 17 },
      { slowdown: null, quantiles: [], ways: 1.5 },
      { slowdown: [1], quantiles: [], ways: 1 },
      { slowdown: one.with(3, Number.NaN), quantiles: [], ways: 1 },
      { slowdown: one, quantiles: [{ level: 0.5, slowdown: one.with(0, Infinity) }], ways: 1 },
    ]) {
      assert.throws(() => judge(bad, truth), /ways were chosen|a curve has/);
    }
  });
});

describe('summary', () => {
  const asked = (
    name: string,
    ways: number,
    oracle: number,
    within: boolean,
    errors: number[] = [],
  ): Asked => ({
    ...{ name, ways, oracle, within, errors, regret: within ? 0 : 0.2, band: null, executions: 3 },
    microseconds: ways,
  });
  const given = [
    asked('f', 4, 2, true, [0, 0.1]),
    asked('f', 2, 4, false, [0.2, 0.3]),
    asked('g', 12, 10, true, [0.4, 0.5]),
  ];

  test('of known figures', () => {
    const summary = summarise(given, { seed: 1, resamples: 100 });
    const values = [
      summary.within,
      summary.regret,
      summary.errorWays,
      summary.waysRatio,
      summary.meanWaysRatio,
    ];
    const expected = [2 / 3, 0.2 / 3, 2, 18 / 16, (2 + 0.5 + 1.2) / 3];
    for (const [index, { value }] of values.entries())
      assert.ok(Math.abs(value - (expected[index] ?? 0)) < 1e-12);
    assert.ok(Math.abs((summary.error?.value ?? 0) - 0.25) < 1e-12);
    assert.ok(Math.abs((summary.errorP95 ?? 0) - 0.475) < 1e-12);
    assert.deepEqual(
      [summary.questions, summary.functions, summary.executions, summary.microseconds, summary.coverage],
      [3, 2, 3, 4, null],
    );
  });

  test('intervals come from whole functions, hold the value, and repeat with the seed', () => {
    const summary = summarise(given, { seed: 7, resamples: 200 });
    assert.deepEqual(summary, summarise(given, { seed: 7, resamples: 200 }));
    assert.deepEqual([summary.within.low, summary.within.high], [0.5, 1], 'f alone, g alone');
    const many = Array.from({ length: 30 }, (_, index) =>
      asked(`f${index}`, 1 + (index % 7), 3, index % 3 === 0),
    );
    const [first, second] = [7, 8].map((seed) => summarise(many, { seed, resamples: 50 }));
    assert.notDeepEqual(first, second);
  });
});

describe('benchmarks', () => {
  const waysOf = async (each: FunctionCurve, sampling = ADAPTIVE, budget: number | 'all' = 5) =>
    (await benchmark(each, GEOMETRY, sampling, budget)).points.map(({ ways }) => ways);

  test('reveal as many points as they may, where the adaptive benchmark wants them', async () => {
    assert.deepEqual(await waysOf(curve('f', 1, cliff(6, 2)), ADAPTIVE, 2), [1, 16]);
    assert.deepEqual(await waysOf(curve('f', 1, cliff(6, 2))), [1, 4, 7, 10, 16]);
    assert.deepEqual(await waysOf(curve('f', 1, flat(1))), [1, 16], 'nothing is left to learn');
    assert.equal((await waysOf(curve('f', 1, flat(1)), ADAPTIVE, 'all')).length, 16);
    assert.deepEqual(await waysOf(curve('f', 1, cliff(6, 2)), NONE, 'all'), []);
  });

  test('bisection finds every knee in five', async () => {
    for (let knee = 1; knee <= 16; knee++) {
      const ways = await waysOf(curve('f', 1, cliff(knee, 2)), BISECTION);
      assert.ok(ways.length <= 5 && ways.includes(knee), `${knee}: ${ways}`);
    }
  });

  test('take the nearest point where one is missing', async () => {
    const points = [2, 3, 9, 12].map((ways) => ({ ways, seconds: 20 - ways }));
    for (const sampling of [ADAPTIVE, BISECTION]) {
      const ways = await waysOf({ name: 'f', inputSize: 1, points }, sampling, 3);
      assert.ok(ways.length >= 1 && ways.length <= 3 && ways.includes(12), `${ways}`);
    }
    assert.deepEqual(await waysOf({ name: 'f', inputSize: 1, points }, ADAPTIVE, 9), [2, 3, 9, 12]);
  });
});

describe('questions', () => {
  test('each size, each ordered pair of sizes, and two pairs a size, the same for a seed', () => {
    assert.equal(casesOf('benchmarked', SET, 1).length, 9);
    assert.equal(casesOf('assisted-1', SET, 1).length, 18);
    const fromMiddle = casesOf('assisted-middle', SET, 1);
    assert.deepEqual(
      fromMiddle.map(({ asked, known }) => [asked.inputSize, known[0]?.inputSize]),
      [
        ...[2, 8].map((size) => [size, 4]),
        ...[10, 30].map((size) => [size, 20]),
        ...[1, 3].map((size) => [size, 2]),
      ],
    );
    const pairs = casesOf('assisted-2', SET, 1);
    assert.equal(pairs.length, 9, 'three sizes have one pair of others');
    for (const { asked, known } of pairs) {
      assert.equal(new Set([asked, ...known].map(({ inputSize }) => inputSize)).size, 3);
    }
    const sizes = { ...SET, curves: [1, 2, 4, 8, 16, 32].map((size) => curve('f', size, flat(1))) };
    const cases = casesOf('assisted-2', sizes, 1);
    assert.equal(cases.length, 12);
    const around = cases.filter(
      ({ asked, known }) =>
        known.some(({ inputSize }) => inputSize < asked.inputSize) &&
        known.some(({ inputSize }) => inputSize > asked.inputSize),
    );
    assert.equal(around.length, 4, 'one for each size but the outermost');
    assert.deepEqual(casesOf('assisted-2', sizes, 5), casesOf('assisted-2', sizes, 5));
  });

  test('are about curves that were not learned from', () => {
    for (const leftOut of ['functions', 'sizes'] as const) {
      for (const folds of [2, 10, 'all'] as const) {
        const splits = splitsOf(SET, leftOut, folds, 3);
        assert.equal(splits.flatMap(({ asked }) => [...asked]).length, SET.curves.length);
        for (const { train, asked } of splits) {
          assert.ok(train.curves.every((each) => !asked.has(each)));
          const names = new Set([...asked].map(({ name }) => name));
          if (leftOut === 'functions') assert.ok(train.curves.every(({ name }) => !names.has(name)));
          assert.equal(train.curves.length + asked.size, SET.curves.length);
        }
      }
    }
    assert.equal(splitsOf(SET, 'functions', 10, 3).length, 3);
  });
});

describe('methods', () => {
  const report = evaluate({ train: null, test: SET, methods: LIGHT, resamples: 50 });

  test('the oracle is always right, at the fewest ways', async () => {
    const { rows } = await report;
    for (const { method, within, regret, waysRatio, meanWaysRatio, errorWays, error } of rows) {
      if (method !== ORACLE) continue;
      assert.deepEqual(
        [within, regret, waysRatio, meanWaysRatio, errorWays, error].map((each) => each?.value),
        [1, 0, 1, 1, 0, 0],
      );
    }
    assert.equal(rows.filter(({ method }) => method === ORACLE).length, 2 * SCENARIOS.length);
  });

  test('the full cache is always enough, an equal share is four ways', async () => {
    const full = rowOf(await report, 'always full', 'assisted-1', 3);
    const spent = SET.curves.reduce((sum, each) => sum + (truthOf(each, GEOMETRY) as Truth).oracle, 0);
    assert.deepEqual([full.within.value, full.regret.value, full.executions], [1, 0, 0]);
    assert.ok(Math.abs(full.waysRatio.value - (16 * 9) / spent) < 1e-12);
    const share = rowOf(await report, 'equal share', 'benchmarked', 'all');
    assert.equal(share.within.value, 5 / 9, 'flats, and cliffs at two and four ways');
  });

  test('who measures everything errs only where nothing was measured', async () => {
    for (const method of [interpolation.name, nearestNeighbour.name, bisection.name, scaledKnee.name]) {
      const row = rowOf(await report, method, 'benchmarked', 'all');
      assert.deepEqual([row.within.value, row.waysRatio.value, row.regret.value], [1, 1, 0], method);
    }
    assert.equal(rowOf(await report, bisection.name, 'benchmarked', 'all').executions, 5);
    assert.equal(rowOf(await report, interpolation.name, 'benchmarked', 'all').error?.value, 0);
  });

  test('at a size that is unknown the knee is scaled, or not', async () => {
    const cliffs = { ...SET, curves: SET.curves.filter(({ name }) => name === 'cliff') };
    const methods = [interpolation, scaledKnee];
    const scenarios: Scenario[] = [{ mode: 'assisted-1', points: 'all' }];
    const { rows } = await evaluate({ train: null, test: cliffs, methods, scenarios, resamples: 10 });
    const [unchanged, scaled] = rows;
    assert.deepEqual([unchanged?.within.value, unchanged?.waysRatio.value], [0.5, 1]);
    assert.deepEqual([scaled?.within.value, scaled?.waysRatio.value, scaled?.errorWays.value], [1, 1, 0]);
  });

  test("the original's slope rule gives short functions one way, in seconds", async () => {
    const formula = (scale: number) => (ways: number) => scale * (1 + 10 / (1 + Math.sqrt(ways - 1)));
    const train = { ...SET, curves: [curve('long', 1, formula(1)), curve('short', 1, formula(0.001))] };
    const choose = async (seconds: number, unit: 'seconds' | 'relative'): Promise<number> => {
      const fitted = await originalFit('o', unit).fit(train, {
        seed: 1,
        signal: new AbortController().signal,
        shipped: false,
      });
      const known = [await benchmark(curve('f', 5, formula(seconds)), GEOMETRY, ADAPTIVE, 3)];
      return (await fitted.predict({ known, inputSize: 5, geometry: GEOMETRY })).ways;
    };
    // 10 / (2 root (1 + root)^2) = 0.1 at root = 3.01: 10 ways.
    assert.equal(await choose(1, 'seconds'), 10);
    assert.equal(await choose(0.001, 'seconds'), 1);
    assert.equal(await choose(0.001, 'relative'), await choose(1, 'relative'));
  });

  test('are told of the way bytes', async () => {
    const half = await benchmark(curve('f', 5, cliff(8, 2)), GEOMETRY, ADAPTIVE, 'all');
    const fitted = await interpolation.fit(SET, {
      seed: 1,
      signal: new AbortController().signal,
      shipped: false,
    });
    const geometry = { ways: 8, wayBytes: 256 * 1024 };
    assert.equal((await fitted.predict({ known: [half], inputSize: 5, geometry })).ways, 4);
  });
});

describe('evaluate', () => {
  const scenarios = [BENCHMARKED_ALL];

  test('learns from other functions only, and says which it drops', async () => {
    const seen: string[][] = [];
    const spy: Method = {
      ...answering(() => ({})),
      training: 'heavy',
      fit: async (train, options) => {
        seen.push([...new Set(train.curves.map(({ name }) => name))]);
        return answering(() => ({})).fit(train, options);
      },
    };
    const train = { ...SET, curves: [...SET.curves, curve('other', 1, flat(1))] };
    const { notes, rows } = await evaluate({ train, test: SET, methods: [spy], scenarios, resamples: 5 });
    assert.deepEqual(seen, [['other']]);
    assert.match(notes.join(), /cliff, flat, slope/);
    assert.deepEqual(new Set(rows.map(({ protocol }) => protocol)), new Set(['train-test']));
    const empty = await evaluate({ train: SET, test: SET, methods: [spy], scenarios, resamples: 5 });
    assert.match(empty.notes.join(), /nothing to learn from/);
    assert.equal(seen.length, 1);
    await evaluate({ train: null, test: SET, methods: [spy], scenarios, folds: 2, resamples: 5 });
    assert.deepEqual(
      seen
        .slice(1)
        .map(({ length }) => length)
        .sort(),
      [1, 2, 2, 3],
    );
  });

  test('tells methods that they may take the weights that ship, only where nothing was left out', async () => {
    const told: boolean[] = [];
    const spy: Method = {
      ...answering(() => ({})),
      training: 'heavy',
      fit: async (train, options) => {
        told.push(options.shipped);
        return answering(() => ({})).fit(train, options);
      },
    };
    const other = { ...SET, curves: [curve('other', 1, flat(1))] };
    const both = { ...SET, curves: [...SET.curves, ...other.curves] };
    for (const train of [null, both, other]) {
      await evaluate({ train, test: SET, methods: [spy], scenarios, shipped: true, folds: 2, resamples: 2 });
    }
    assert.deepEqual(told, [false, false, false, false, false, true]);
  });

  test('names the method that answers nonsense, and stops it', async () => {
    let stopped = 0;
    const broken: Method = {
      ...answering(() => ({ ways: 99 }), 'broken'),
      fit: async (train, options) => ({
        ...(await answering(() => ({ ways: 99 })).fit(train, options)),
        stop: () => void stopped++,
      }),
    };
    await assert.rejects(
      evaluate({ train: null, test: SET, methods: [broken], scenarios }),
      /broken: 99 of 16/,
    );
    assert.equal(stopped, 1);
  });

  test('ends when it is told to', async () => {
    const abort = new AbortController();
    const interrupted = answering(() => {
      abort.abort(new Error('enough'));
      return {};
    });
    await assert.rejects(
      evaluate({ train: null, test: SET, methods: [interrupted], scenarios }, { signal: abort.signal }),
      /enough/,
    );
  });

  test('never has NaN in it, whatever the curves', async () => {
    const seconds = fc.oneof(
      fc.constant(1),
      fc.double({ min: 1e-6, max: 1e3, noNaN: true }),
      fc.double({ min: 0.9, max: 1.1, noNaN: true }),
    );
    const curves = fc.record({
      name: fc.constantFrom('f', 'g', 'h'),
      inputSize: fc.integer({ min: 1, max: 50 }),
      points: fc
        .uniqueArray(fc.record({ ways: fc.integer({ min: 1, max: 16 }), seconds }), {
          selector: ({ ways }) => ways,
          minLength: 1,
          maxLength: 16,
        })
        .map((points) => points.toSorted((left, right) => left.ways - right.ways)),
    });
    const sets = fc
      .record({
        curves: fc.uniqueArray(curves, {
          selector: (each) => `${each.name},${each.inputSize}`,
          maxLength: 12,
        }),
        ways: fc.constantFrom(1, 7, 16),
      })
      .map(({ curves, ways }): CurveSet => {
        const within = curves.map((each) => ({
          ...each,
          points: each.points.filter((point) => point.ways <= ways),
        }));
        return { geometry: { ...GEOMETRY, ways }, curves: within };
      });
    await fc.assert(
      fc.asyncProperty(sets, fc.option(sets, { nil: null }), async (test, train) => {
        const report = await evaluate({ train, test, methods: LIGHT, resamples: 3 });
        assertFinite(report);
        assert.ok(!/NaN|Infinity|undefined/.test(formatReport(report)));
        for (const { within, waysRatio, regret } of report.rows) {
          assert.ok(within.value >= 0 && within.value <= 1 && waysRatio.value > 0 && regret.value >= 0);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('makes a table of 80 columns', async () => {
    const now = () => 1;
    const report = await evaluate({ train: null, test: SET, methods: LIGHT, resamples: 20 }, { now });
    const table = formatReport(report);
    for (const line of table.split('\n')) assert.ok([...line].length <= 80, line);
    assert.equal(table.match(/^method /gm)?.length, 2 * SCENARIOS.length, 'a block a scenario');
    assert.equal(formatReport(JSON.parse(JSON.stringify(report))), table);
  });
});

function assertFinite(value: unknown): void {
  if (typeof value === 'number') assert.ok(Number.isFinite(value));
  else if (typeof value === 'object' && value !== null) Object.values(value).forEach(assertFinite);
}

describe('npm run predictor:eval', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fsched-eval-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  function run(...args: string[]) {
    const main = join(import.meta.dirname, '../../../predictor/eval/main.ts');
    // The learned model is left out: it would be trained for a minute.
    const light = args.includes('--methods') ? [] : ['--methods', LIGHT.map(({ name }) => name).join()];
    const all = ['--import', 'tsx', main, ...args, ...light];
    return spawnSync(process.execPath, all, { encoding: 'utf8' });
  }
  async function file(name: string, text: string): Promise<string> {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  }
  function csv({ curves }: CurveSet): string {
    const rows = curves.flatMap(({ name, inputSize, points }) =>
      points.map(({ ways, seconds }) => `${name},${inputSize},${ways},${seconds}`),
    );
    return `name,input_size,cos,exec_time\n${rows.join('\n')}\n`;
  }

  test('judges files', async () => {
    const train = await file('train.csv', csv(SET));
    const renamed = SET.curves.map((each) => ({ ...each, name: each.name.replace('cliff', 'step') }));
    const path = await file('test.csv', csv({ ...SET, curves: renamed }));
    const { status, stdout, stderr } = run('--train', train, '--test', path, '--quick', '--json');
    assert.equal(status, 0, stderr);
    assert.match(stderr, /^warning: .*flat, slope\n$/);
    const report = JSON.parse(stdout) as Report;
    assert.deepEqual(report.extent, { functions: 3, curves: 9 });
    assert.equal(rowOf(report, ORACLE, 'assisted-2', 3).within.value, 1);
  });

  test('tells in a sentence what is wrong, and ends with 2', async () => {
    const good = await file('good.csv', csv(SET));
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [['--train', '/nowhere.csv', '--test', good], /\/nowhere\.csv can't be read: ENOENT/],
      [
        ['--train', good, '--test', await file('bad.csv', `${csv(SET)}f,1,17,3\n`)],
        /bad\.csv: line \d+, .*cos/,
      ],
      [
        ['--train', good, '--test', await file('none.csv', csv({ ...SET, curves: [] }))],
        /none\.csv: .*no curves/,
      ],
      [
        ['--train', good, '--test', await file('one.csv', 'name,input_size,cos,exec_time\nf,1,1,1\n')],
        /two points/,
      ],
      [['--folds', '1'], /--folds 1 is no whole number of at least 2/],
      [['--methods', 'magic'], /--methods magic: there are fsched, curve-fit, /],
      [['--frobnicate'], /--frobnicate/],
    ];
    for (const [args, message] of cases) {
      const { status, stdout, stderr } = run(...args);
      assert.equal(status, 2, `${args}: ${stderr}`);
      assert.match(stderr, message);
      assert.equal(stderr.trim().split('\n').length, 1, stderr);
      assert.equal(stdout, '');
    }
  });
});
