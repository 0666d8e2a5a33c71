/** Asks methods about curves that they don't know, and holds their answers against them. */
import type { CurveSet, FunctionCurve } from '../dataset/types.ts';
import type { MeasuredCurve } from '../types.ts';
import { judge, type Verdict } from './judge.ts';
import type { Answer, Fitted, Method } from './method.ts';
import { benchmark } from './sampling.ts';
import { type Case, casesOf, SCENARIOS, type Scenario } from './scenarios.ts';
import { functionsOf, type LeftOut, type Split, splitsOf } from './splits.ts';
import { type Asked, type Summary, summarise } from './summary.ts';
import { type Truth, truthOf } from './truth.ts';

export interface EvaluationOptions {
  /** What methods learn from; null: from `test` itself, without what is asked about. */
  readonly train: CurveSet | null;
  readonly test: CurveSet;
  readonly methods: readonly Method[];
  /** @default 1 */
  readonly seed?: number;
  /** @default SCENARIOS */
  readonly scenarios?: readonly Scenario[];
  /** What is left out of training where there is no `train`. @default functions, then sizes */
  readonly leaveOut?: readonly LeftOut[];
  /** How often methods that are dear to train are trained. @default 10 */
  readonly folds?: number | 'all';
  /** Of the bootstrap. @default 1000 */
  readonly resamples?: number;
  /** `train` is all that ships: methods are told so when all of it is learned from. @default false */
  readonly shipped?: boolean;
}

export interface EvaluationPorts {
  /** Microseconds of a clock that never goes back. @default no times */
  readonly now?: () => number;
  /** Lets the event loop turn; called every few hundred questions. */
  readonly breathe?: () => Promise<void>;
  /** Told what goes on, in a few words. */
  readonly progress?: (what: string) => void;
  readonly signal?: AbortSignal;
}

export type Protocol = 'train-test' | `leave-${LeftOut}-out`;

export interface ReportRow extends Summary {
  readonly protocol: Protocol;
  readonly scenario: Scenario;
  readonly method: string;
}

/** Plain data. */
export interface Report {
  readonly seed: number;
  readonly extent: { readonly functions: number; readonly curves: number };
  /** What was not done as one would expect, a sentence each. */
  readonly notes: readonly string[];
  readonly rows: readonly ReportRow[];
}

/** The method that knows the truth. */
export const ORACLE = 'oracle';

/** Predictions after which a method counts as warm. */
const WARM_UP = 5;
const BREATH = 200;
const NEVER = new AbortController().signal;

/** @throws Error when a method answers nonsense, naming it; the reason of the signal once that is aborted */
export async function evaluate(options: EvaluationOptions, ports: EvaluationPorts = {}): Promise<Report> {
  const { seed = 1, methods, scenarios = SCENARIOS } = options;
  const { test, train, shipped, notes } = usable(options);
  const exam = prepare(test, scenarios, seed);
  const protocols: readonly (LeftOut | null)[] =
    train === null ? (options.leaveOut ?? ['functions', 'sizes']) : [null];
  const rows: ReportRow[] = [];
  for (const leftOut of protocols) {
    const protocol: Protocol = leftOut === null ? 'train-test' : `leave-${leftOut}-out`;
    // Who doesn't learn answers the same whatever is left out.
    const asked = leftOut === 'sizes' ? methods.filter(({ training }) => training !== 'none') : methods;
    const answers = new Map<string, Map<Scenario, Asked[]>>();
    for (const method of asked) {
      const splits = splitsFor(method, { ...options, train, test }, leftOut, seed);
      if (method.training !== 'none' && splits.some((split) => split.train.curves.length === 0)) {
        notes.push(`${method.name} is left out of ${protocol}: there is nothing to learn from`);
        continue;
      }
      answers.set(method.name, await examine(method, splits, exam, { seed, protocol, shipped, ports }));
    }
    if (asked.length > 0) answers.set(ORACLE, consultOracle(exam));
    for (const scenario of scenarios) {
      for (const [method, byScenario] of answers) {
        const given = byScenario.get(scenario) ?? [];
        if (given.length === 0) continue;
        const summary = summarise(given, { seed, resamples: options.resamples ?? 1000 });
        rows.push({ protocol, scenario, method, ...summary });
      }
    }
  }
  const extent = { functions: functionsOf(test).size, curves: test.curves.length };
  return { seed, extent, notes, rows };
}

function usable({ train, test, shipped = false }: EvaluationOptions) {
  const notes: string[] = [];
  const curves = test.curves.filter((curve) => truthOf(curve, test.geometry) !== null);
  const dropped = test.curves.length - curves.length;
  if (dropped > 0) notes.push(`curves not asked about, as they have less than two points: ${dropped}`);
  const known = functionsOf(test);
  const shared = train === null ? [] : [...functionsOf(train)].filter((name) => known.has(name));
  if (shared.length > 0) notes.push(`not learned from, as they are asked about: ${few(shared)}`);
  const unseen = train && { ...train, curves: train.curves.filter(({ name }) => !known.has(name)) };
  const isWhole = shipped && train !== null && shared.length === 0;
  return { train: unseen, test: { ...test, curves }, shipped: isWhole, notes };
}

const NAMED = 8;
const few = (names: readonly string[]): string =>
  names.length <= NAMED
    ? names.join(', ')
    : `${names.slice(0, NAMED).join(', ')} and ${names.length - NAMED} others`;

function splitsFor(
  { training }: Method,
  { train, test, folds = 10 }: EvaluationOptions,
  leftOut: LeftOut | null,
  seed: number,
): readonly Split[] {
  const asked = new Set(test.curves);
  if (training === 'none') return [{ train: { ...test, curves: [] }, asked }];
  if (train !== null) return [{ train, asked }];
  return splitsOf(test, leftOut ?? 'functions', training === 'light' ? 'all' : folds, seed);
}

/** All questions, in order. */
interface Exam {
  readonly test: CurveSet;
  readonly truths: ReadonlyMap<FunctionCurve, Truth>;
  readonly papers: readonly { readonly scenario: Scenario; readonly cases: readonly Case[] }[];
}

function prepare(test: CurveSet, scenarios: readonly Scenario[], seed: number): Exam {
  const truths = new Map<FunctionCurve, Truth>();
  for (const curve of test.curves) {
    const truth = truthOf(curve, test.geometry);
    if (truth !== null) truths.set(curve, truth);
  }
  const papers = scenarios.map((scenario) => ({ scenario, cases: casesOf(scenario.mode, test, seed) }));
  return { test, truths, papers };
}

interface Sitting {
  readonly seed: number;
  readonly protocol: Protocol;
  readonly shipped: boolean;
  readonly ports: EvaluationPorts;
}

async function examine(
  method: Method,
  splits: readonly Split[],
  exam: Exam,
  { seed, protocol, shipped, ports }: Sitting,
): Promise<Map<Scenario, Asked[]>> {
  const { signal = NEVER, progress } = ports;
  const answers = new Map<Scenario, Asked[]>(exam.papers.map(({ scenario }) => [scenario, []]));
  for (const [index, split] of splits.entries()) {
    signal.throwIfAborted();
    progress?.(`${protocol}: ${method.name}, ${index + 1} of ${splits.length}`);
    const fitted = await method.fit(split.train, { seed, signal, shipped });
    try {
      const candidate = sit(fitted, exam, ports);
      for (const { scenario, cases } of exam.papers) {
        const ofSplit = cases.filter(({ asked }) => split.asked.has(asked));
        const given = answers.get(scenario);
        for (const each of ofSplit) given?.push(await candidate(each, scenario));
      }
    } catch (error) {
      signal.throwIfAborted();
      throw new Error(`${method.name}: ${error instanceof Error ? error.message : error}`, { cause: error });
    } finally {
      await fitted.stop();
    }
  }
  return answers;
}

/** Asks one fitted method; each benchmark is done once. */
function sit(fitted: Fitted, { test, truths }: Exam, { now, breathe, signal = NEVER }: EvaluationPorts) {
  const benchmarks = new Map<string, MeasuredCurve>();
  let questions = 0;
  const measure = async (curve: FunctionCurve, { points }: Scenario): Promise<MeasuredCurve> => {
    const key = `${points},${curve.inputSize},${curve.name}`;
    const done = benchmarks.get(key) ?? (await benchmark(curve, test.geometry, fitted.sampling, points));
    benchmarks.set(key, done);
    return done;
  };
  return async ({ asked, known }: Case, scenario: Scenario): Promise<Asked> => {
    const evidence: MeasuredCurve[] = [];
    for (const curve of known) evidence.push(await measure(curve, scenario));
    const question = { known: evidence, inputSize: asked.inputSize, geometry: test.geometry };
    const began = now?.() ?? 0;
    const answer = await fitted.predict(question);
    const took = (now?.() ?? 0) - began;
    questions += 1;
    if (questions % BREATH === 0) await breathe?.();
    signal.throwIfAborted();
    return {
      ...verdictOn(answer, asked, truths),
      name: asked.name,
      executions: evidence.reduce((sum, { points }) => sum + points.length, 0),
      microseconds: now === undefined || questions <= WARM_UP ? null : took,
    };
  };
}

function consultOracle({ papers, truths }: Exam): Map<Scenario, Asked[]> {
  const ask = ({ asked }: Case): Asked => {
    const { slowdown, oracle } = truths.get(asked) as Truth;
    const verdict = verdictOn({ slowdown, quantiles: [], ways: oracle }, asked, truths);
    return { ...verdict, name: asked.name, executions: null, microseconds: null };
  };
  return new Map(papers.map(({ scenario, cases }) => [scenario, cases.map(ask)]));
}

function verdictOn(answer: Answer, asked: FunctionCurve, truths: ReadonlyMap<FunctionCurve, Truth>): Verdict {
  return judge(answer, truths.get(asked) as Truth);
}
