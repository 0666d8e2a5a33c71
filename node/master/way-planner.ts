/**
 * How many ways a run wants: from what is known of its task, by way of the model, to a choice that can be explained.
 */

import { chooseWays, DEFAULT_MAX_SLOWDOWN, generosity, type WayChoice } from '../../predictor/choose-ways.ts';
import { type Drift, describeDrift, type Evidence, evidenceOf } from '../../predictor/evidence.ts';
import { gainsFromCache } from '../../predictor/sensitivity.ts';
import {
  type CacheGeometry,
  type Prediction,
  type Predictor,
  type PredictorInfo,
  seesCache,
} from '../../predictor/types.ts';
import type { Mode, RunChoice } from '../../protocols/schema/run.ts';
import type { Task } from '../../protocols/schema/task.ts';
import type { DriftView } from '../../protocols/schema/views.ts';
import type { NodeId } from '../consensus/types.ts';
import type { Clock, Logger } from '../ports.ts';
import type { Tables } from '../state/tables.ts';
import { typicalDomain } from './placement.ts';
import type { Scheduler } from './scheduler.ts';

export interface WayQuestion {
  /** Null: as the task is usually started. */
  readonly command: string | null;
  readonly inputSize: number;
  /** How much slower than with the full cache it may be; null: the default. */
  readonly maxSlowdown: number | null;
}

export interface WayPlan {
  readonly mode: Mode;
  readonly ways: number;
  /** Null in mode `INOP`. */
  readonly choice: WayChoice | null;
  /** One sentence for people. */
  readonly why: string;
  readonly maxSlowdown: number;
  readonly generosity: number;
  /** Of the cache that `ways` are of. */
  readonly geometry: CacheGeometry;
  readonly evidence: Evidence;
  readonly prediction: Prediction;
  readonly model: PredictorInfo;
  /** False: it gains nothing from cache of its own, and may share the pool with others like it. */
  readonly sensitive: boolean;
}

export interface WayPlannerDependencies {
  /** This node, the master. */
  readonly self: NodeId;
  readonly tables: Tables;
  readonly scheduler: Pick<Scheduler, 'domains' | 'freeWays'>;
  readonly predictor: Predictor;
  readonly clock: Clock;
  readonly logger: Logger;
}

const NEVER_BENCHMARKED =
  'the task was never benchmarked, and its runs do not tell yet what cache it needs: an equal share of the ways';

export class WayPlanner {
  readonly #deps: WayPlannerDependencies;
  /** Task to the time since when it behaves otherwise: each change is logged once. */
  readonly #noticed = new Map<string, number>();

  constructor(dependencies: WayPlannerDependencies) {
    this.#deps = dependencies;
  }

  plan(task: Task, question: WayQuestion): WayPlan {
    const { self, tables, scheduler, predictor, clock } = this.#deps;
    const profiles = tables.profiles(task.id);
    const evidence = evidenceOf(profiles, runTimesOf(tables, task, question.command), clock.nowMs());
    this.#notice(task, evidence);
    const domain = typicalDomain(scheduler.domains(), self);
    // Right after an election nobody may have been heard yet: then the machine of the benchmark stands for all.
    const geometry = domain ?? profiles[0] ?? { ways: 1, wayBytes: 1 };
    const prediction = predictor.predict(evidence.curves, question.inputSize, geometry);
    const maxSlowdown = question.maxSlowdown ?? DEFAULT_MAX_SLOWDOWN;
    const price = generosity(scheduler.freeWays());
    const choice = prediction.mode === 'INOP' ? null : chooseWays(prediction, { maxSlowdown, price });
    return {
      mode: modeOf(prediction, profiles.length > 0),
      ways: choice?.ways ?? Math.max(1, Math.floor(geometry.ways / Math.max(1, domain?.cpus ?? 1))),
      choice,
      why: choice?.why ?? NEVER_BENCHMARKED,
      maxSlowdown,
      generosity: price,
      geometry: { ways: geometry.ways, wayBytes: geometry.wayBytes },
      evidence,
      prediction,
      model: predictor.info(),
      sensitive: choice === null || choice.ways > 1 || this.#gains(evidence, prediction, question, geometry),
    };
  }

  /** Times by instruments that don't see the cache can't show that a function gains nothing from it. */
  #gains(
    { curves }: Evidence,
    prediction: Prediction,
    { inputSize, maxSlowdown }: WayQuestion,
    geometry: CacheGeometry,
  ): boolean {
    const seeing = curves.filter(seesCache);
    if (seeing.length === 0) return true;
    const options = { maxSlowdown: maxSlowdown ?? DEFAULT_MAX_SLOWDOWN };
    if (seeing.length === curves.length) return gainsFromCache(prediction, options);
    return gainsFromCache(this.#deps.predictor.predict(seeing, inputSize, geometry), options);
  }

  #notice(task: Task, { drift }: Evidence): void {
    if (drift === null || this.#noticed.get(task.id) === drift.sinceMs) return;
    this.#noticed.set(task.id, drift.sinceMs);
    this.#deps.logger.warn(
      { taskId: task.id, function: task.name, drift: describeDrift(drift) },
      'task drifted',
    );
  }
}

/** As it is recorded with the run. */
export function recordedChoice({ choice, maxSlowdown, model }: WayPlan): RunChoice | null {
  if (choice === null) return null;
  const { needed, ways, expected, atMost } = choice;
  return {
    needed,
    ways,
    expectedSlowdown: expected,
    atMost,
    maxSlowdown,
    model: model.name,
    modelVersion: model.version,
  };
}

/** Only a benchmark makes a task `BENCHMARKED`. */
function modeOf(prediction: Prediction, wasBenchmarked: boolean): Mode {
  return prediction.mode === 'BENCHMARKED' && !wasBenchmarked ? 'ASSISTED' : prediction.mode;
}

/** Runs with another command are runs of another program. */
function runTimesOf(tables: Tables, task: Task, command: string | null): ReturnType<Tables['runTimes']> {
  const all = tables.runTimes(task.id);
  const wanted = command ?? task.command ?? all.at(-1)?.command;
  return all.filter((each) => each.command === wanted);
}

export function viewDrift(drift: Drift | null): DriftView | null {
  if (drift === null) return null;
  const { sinceMs, inputSize, ways, beforeSeconds, afterSeconds } = drift;
  return { sinceMs, inputSize, ways, beforeSeconds, afterSeconds, message: describeDrift(drift) };
}

/** What is known of the task as it is usually started. */
export function taskEvidence(tables: Tables, task: Task, nowMs: number): Evidence {
  return evidenceOf(tables.profiles(task.id), runTimesOf(tables, task, null), nowMs);
}
