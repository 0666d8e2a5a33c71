/** Whether it is time to train the model again. Pure. */

import { seesCache } from '../../predictor/types.ts';
import type { LearnedFrom } from '../../protocols/schema/model.ts';
import type { Profile } from '../../protocols/schema/task.ts';
import type { RunTimes } from '../state/types.ts';

export interface TrainingRule {
  /** So many more tasks than at the last training whose curves see the cache. @default 4 */
  readonly newTasks: number;
  /** Or so many more points, as a share of those of then. @default 0.2 */
  readonly newPoints: number;
  /** But never sooner after the last one. @default 300000 */
  readonly intervalMs: number;
}

export const TRAINING_RULE: TrainingRule = { newTasks: 4, newPoints: 0.2, intervalMs: 300_000 };

/**
 * Different points of a task that see the cache, when they tell anything: somewhere at two numbers of ways. More times
 * of a point that is known are not another point.
 */
export function cachePoints(profiles: readonly Profile[], runTimes: readonly RunTimes[]): number {
  const curves = new Map<string, Set<number>>();
  const add = (curve: string, ways: number): void => {
    curves.set(curve, (curves.get(curve) ?? new Set()).add(ways));
  };
  for (const { profiler, inputSize, wayBytes, points } of profiles) {
    if (!seesCache({ profiler })) continue;
    for (const { ways, seconds } of points) {
      if (seconds.length > 0) add(`${profiler} ${inputSize} ${wayBytes}`, ways);
    }
  }
  for (const { inputSize, command, times } of runTimes) {
    for (const { ways, enforcement, llc } of times) {
      if (enforcement === 'enforced')
        add(`run ${inputSize} ${llc.wayBytes} ${llc.cpuModel} ${command}`, ways);
    }
  }
  const sizes = [...curves.values()].map((ways) => ways.size);
  return sizes.some((size) => size > 1) ? sizes.reduce((sum, size) => sum + size, 0) : 0;
}

/** @param last what there was at the last training; null: there was none */
export function isTimeToTrain(
  now: LearnedFrom,
  last: LearnedFrom | null,
  sinceLastMs: number,
  rule: TrainingRule,
): boolean {
  if (sinceLastMs < rule.intervalMs) return false;
  if (now.tasks - (last?.tasks ?? 0) >= rule.newTasks) return true;
  return last !== null && last.points > 0 && now.points >= last.points * (1 + rule.newPoints);
}
