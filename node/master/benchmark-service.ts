/**
 * Benchmarks: the task with as many way counts as it takes to know its curve, one after the other on one LLC domain,
 * then one profile. Each measurement is a run like any other, so it is placed, limited, recorded, and can be cancelled
 * like one.
 */
import { nextWays } from '../../predictor/adaptive-ways.ts';
import { guidedWays } from '../../predictor/guided-ways.ts';
import type { Predictor } from '../../predictor/types.ts';
import { type Answer, type ApiFailure, fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import type { Measurement, ProcessCensus, Run } from '../../protocols/schema/run.ts';
import type { Measure, Profile, ProfilePoint } from '../../protocols/schema/task.ts';
import type { LlcGeometry } from '../llc/geometry.ts';
import { measuredGeometry, TRAITS } from '../llc/profiler-traits.ts';
import type { CapacityBoard } from '../membership/capacity-board.ts';
import type { Clock } from '../ports.ts';
import type { Tables } from '../state/tables.ts';
import { chooseInstrument, type InstrumentChoice } from './instrument-choice.ts';
import type { DomainOffer } from './placement.ts';
import { type Propose, unavailable } from './propose.ts';
import type { BenchmarkRequest } from './requests.ts';
import { type RunService, unknownTask } from './run-service.ts';

/** Programs that take longer than this by themselves are not simulated unasked: it would be minutes for each point. */
const AUTO_SIMULATES_WITHIN_S = 5;
/** A simulated run is given up after so many times its expected time, but not before the least: what hangs must end. */
const OVERTIME = 3;
const LEAST_SIMULATED_MS = 60_000;

export interface BenchmarkServiceOptions {
  /** Time limit of a run that asks for none. */
  readonly timeLimitMs: number;
}

export interface BenchmarkServiceDependencies {
  readonly tables: Tables;
  readonly board: CapacityBoard;
  readonly domains: () => readonly DomainOffer[];
  readonly runs: Pick<RunService, 'measure'>;
  /** Resolves with the run once it is over. */
  readonly finished: (runId: string, signal: AbortSignal) => Promise<Answer<Run>>;
  readonly cancel: (runId: string) => Promise<Answer<Run>>;
  readonly propose: Propose;
  readonly predictor: Pick<Predictor, 'predict'>;
  readonly clock: Clock;
}

/** Why there is no measurement. `instrument`: the program is well, but could not be measured in this way. */
type Failure = { readonly kind: 'request' | 'instrument' } & ApiFailure;

/** One benchmark, on its way. */
interface Course extends InstrumentChoice {
  readonly request: BenchmarkRequest;
  readonly signal: AbortSignal;
  /** Of the program by itself, seconds. */
  readonly alone: number;
}

type Reading = Pick<Measurement, 'seconds' | 'processes'>;

interface Curve {
  readonly points: readonly ProfilePoint[];
  /** Of the last execution. */
  readonly census: ProcessCensus | null;
}

export class BenchmarkService {
  readonly #options: BenchmarkServiceOptions;
  readonly #deps: BenchmarkServiceDependencies;

  constructor(options: BenchmarkServiceOptions, dependencies: BenchmarkServiceDependencies) {
    this.#options = options;
    this.#deps = dependencies;
  }

  /** An abort of `signal` cancels the run that is under way. Only a whole curve becomes a profile. */
  async benchmark(request: BenchmarkRequest, signal: AbortSignal): Promise<Answer<Profile>> {
    const { tables, board, domains } = this.#deps;
    if (!tables.task(request.taskId)) return unknownTask(request.taskId);
    const failed = new Map<string, string>();
    const profilersOf = (node: string): readonly string[] =>
      (board.get(node)?.notice.profilers ?? []).filter((name) => !failed.has(name));
    for (;;) {
      const choice = chooseInstrument(request.profiler, request.command, domains(), profilersOf);
      if (!choice.ok) return choice;
      const note = choice.value.note ?? ([...failed.values()].join('; ') || null);
      const outcome = await this.#measureBy({ ...choice.value, note, request, signal, alone: 0 });
      if (outcome.ok) return outcome.value;
      if (outcome.error.kind === 'request' || request.profiler !== 'auto') return refuse(outcome.error);
      failed.set(choice.value.profiler, outcome.error.message);
    }
  }

  async #measureBy(start: Course): Promise<Outcome<Answer<Profile>, Failure>> {
    // Not part of the profile: it pays for cold disks and compiled caches, and shows that the program works.
    const alone = await this.#measure(start, null);
    if (!alone.ok) return alone;
    const course = shorten({ ...start, alone: alone.value.seconds });
    const curve = await this.#curve(course);
    if (!curve.ok) return curve;
    const { points, census } = curve.value;
    const notes = [course.note, census && describeCensus(census)].filter((note) => note !== null);
    return succeed(await this.#keep({ ...course, note: notes.join('; ') || null }, points));
  }

  async #curve(course: Course): Promise<Outcome<Curve, Failure>> {
    const { wayBytes } = geometryOf(course);
    const samples = new Map<number, number[]>();
    let census: ProcessCensus | null = null;
    const points = (): ProfilePoint[] =>
      [...samples].map(([count, seconds]) => ({ ways: count, seconds })).sort((a, b) => a.ways - b.ways);
    for (;;) {
      const next = this.#next(course, points());
      if (next === null) return succeed({ points: points(), census });
      const measure = { profiler: course.profiler, ways: next, wayBytes };
      const reading = await this.#measure(course, measure);
      if (!reading.ok) return reading;
      samples.set(next, [...(samples.get(next) ?? []), reading.value.seconds]);
      census = reading.value.processes;
    }
  }

  /**
   * With few executions the model says which of them tell the most of what a run needs; what is left of them goes into
   * the curve.
   */
  #next(course: Course, points: readonly ProfilePoint[]): number | null {
    const { request, profiler } = course;
    const geometry = geometryOf(course);
    const { deterministic, maxExecutions } = TRAITS[profiler];
    if (request.executions === null) return nextWays(points, geometry.ways, { deterministic, maxExecutions });
    const executionsLeft = request.executions - points.reduce((sum, { seconds }) => sum + seconds.length, 0);
    if (executionsLeft <= 0) return null;
    if (points.length === 0) return geometry.ways;
    const known = { inputSize: request.inputSize, wayBytes: geometry.wayBytes, profiler, points };
    const prediction = this.#deps.predictor.predict([known], request.inputSize, geometry);
    const guided = guidedWays(prediction, new Set(points.map(({ ways }) => ways)), { executionsLeft });
    return guided ?? nextWays(points, geometry.ways, { deterministic, maxExecutions: request.executions });
  }

  /** @param measure null: of the program by itself */
  async #measure(course: Course, measure: Measure | null): Promise<Outcome<Reading, Failure>> {
    const { request, domain, signal } = course;
    const simulates = TRAITS[course.profiler].simulates;
    if (signal.aborted)
      return fail({ kind: 'request', code: 'UNAVAILABLE', message: 'the client went away' });
    const admitted = await this.#deps.runs.measure(request, {
      ways: simulates ? 1 : (measure?.ways ?? domain.ways),
      measure,
      pinnedTo: { node: domain.node, domain: domain.domain },
      timeLimitMs: this.#timeLimitMs(course, measure),
    });
    if (!admitted.ok) return fail({ kind: 'request', ...admitted.error });
    const { id } = admitted.value.spec;
    const outcome = await this.#deps.finished(id, signal);
    if (!outcome.ok) {
      if (signal.aborted) await this.#deps.cancel(id);
      return fail({ kind: 'request', ...outcome.error });
    }
    return judge(outcome.value, measure);
  }

  #timeLimitMs({ request, profiler, alone }: Course, measure: Measure | null): number {
    const limitMs = request.timeLimitMs ?? this.#options.timeLimitMs;
    const { simulates, timeFactor } = TRAITS[profiler];
    if (measure === null || !simulates) return limitMs;
    const expectedMs = alone * 1000 * timeFactor;
    return Math.ceil(Math.min(limitMs * timeFactor, Math.max(LEAST_SIMULATED_MS, OVERTIME * expectedMs)));
  }

  async #keep(course: Course, points: readonly ProfilePoint[]): Promise<Answer<Profile>> {
    const { request, domain, profiler, note } = course;
    const profile: Profile = {
      taskId: request.taskId,
      inputSize: request.inputSize,
      command: request.command,
      profiler,
      note,
      ...geometryOf(course),
      cpuModel: this.#deps.board.get(domain.node)?.notice.cpuModel ?? 'unknown',
      node: domain.node,
      points,
      measuredAtMs: this.#deps.clock.nowMs(),
    };
    const outcome = await this.#deps.propose({ type: 'profile-put', profile });
    return outcome.ok ? succeed(profile) : unavailable(outcome.error);
  }
}

/** With `auto` nobody asked for the hours that a simulation of a long program takes. */
function shorten(course: Course): Course {
  const { request, profiler, alone } = course;
  if (request.profiler !== 'auto' || !TRAITS[profiler].simulates || alone <= AUTO_SIMULATES_WITHIN_S)
    return course;
  const note = `the program takes ${alone.toFixed(1)} s by itself, up to ${TRAITS[profiler].timeFactor} times that for each point by ${profiler}; take a smaller input size, or ask for ${profiler} by name`;
  return { ...course, profiler: 'wallclock', note };
}

const geometryOf = ({ profiler, domain }: InstrumentChoice): LlcGeometry =>
  measuredGeometry(profiler, domain);

/** A shim of pyenv or asdf starts some thirty programs before the one that is meant: what is measured are they. */
function describeCensus({ count, mostly, share }: ProcessCensus): string {
  const percent = Math.round(share * 100);
  return `${count} processes were measured and added up; most of it (${percent} %) is ${mostly}; if that isn't what you mean to measure, name the interpreter itself in the command`;
}

function judge({ spec, state, result, error }: Run, measure: Measure | null): Outcome<Reading, Failure> {
  const alone = result ? { seconds: result.executionTimeNs / 1e9, processes: null } : undefined;
  const reading = measure === null ? alone : (result?.measurement ?? undefined);
  if (state === 'succeeded' && reading !== undefined) {
    if (measure?.profiler !== 'resctrl' || result?.enforcement === 'enforced') return succeed(reading);
    const message = `resctrl did not hold the partition of run ${spec.id} (${result?.enforcementReason})`;
    return fail({ kind: 'instrument', code: 'UNPROCESSABLE', message });
  }
  const ways = `with ${measure?.ways ?? spec.ways} ways`;
  const told = `its run ${spec.id} ${ways} ${state.replace('_', ' ')}${error ? ` (${error})` : ''}; see /runs/${spec.id}`;
  if (state === 'lost' || state === 'cancelled') {
    const message = `the benchmark stopped: ${told}`;
    return fail({ kind: 'request', code: 'UNAVAILABLE', message, retryAfterSeconds: 2 });
  }
  if (measure === null || !TRAITS[measure.profiler].simulates) {
    return fail({ kind: 'request', code: 'UNPROCESSABLE', message: `the benchmark stopped: ${told}` });
  }
  // It has just worked by itself: a program that valgrind can't run, or not in any bearable time.
  const message = `the program works by itself, but not by ${measure.profiler}: ${told}`;
  return fail({ kind: 'instrument', code: 'UNPROCESSABLE', message });
}

function refuse({ kind: _, ...failure }: Failure): Answer<never> {
  return fail(failure);
}
