/**
 * The life of a run, as pure transitions:
 * `queued -> assigned -> running -> succeeded | failed | timed_out | cancelled | lost`.
 * Every step of an attempt is fenced by (term, attempt): what comes late, or from a master or worker that was
 * given up, changes nothing. So a run has exactly one recorded result.
 */
import type { Command } from '../../protocols/schema/command.ts';
import { type Assignment, isPlaced, isTerminal, type Run, type RunSpec } from '../../protocols/schema/run.ts';

/** After so many attempts that came to nothing a run is `lost`. */
export const MAX_ATTEMPTS = 5;

export function createRun(spec: RunSpec, assignment: Assignment | null): Run {
  return {
    spec,
    state: assignment ? 'assigned' : 'queued',
    assignment,
    attempts: assignment ? 1 : 0,
    startedAtMs: null,
    finishedAtMs: null,
    result: null,
    error: null,
  };
}

function isCurrent(run: Run, fence: { readonly term: number; readonly attempt: number }): boolean {
  return isPlaced(run) && run.assignment?.attempt === fence.attempt && run.assignment.term === fence.term;
}

type Step<T extends Command['type']> = Extract<Command, { type: T }>;

/** Each returns the run after the step, or null when the step is stale. */
export function assignRun(run: Run, step: Step<'run-assign'>): Run | null {
  if (run.state !== 'queued' || step.assignment.attempt !== run.attempts + 1) return null;
  return {
    ...run,
    state: 'assigned',
    assignment: step.assignment,
    attempts: step.assignment.attempt,
    error: null,
  };
}

export function startRun(run: Run, step: Step<'run-start'>): Run | null {
  if (run.state !== 'assigned' || !isCurrent(run, step)) return null;
  return { ...run, state: 'running', startedAtMs: step.atMs };
}

export function finishRun(run: Run, step: Step<'run-finish'>): Run | null {
  if (!isCurrent(run, step)) return null;
  return {
    ...run,
    state: step.state,
    startedAtMs: step.result?.startedAtMs ?? run.startedAtMs,
    finishedAtMs: step.atMs,
    result: step.result,
    error: step.error,
  };
}

export function requeueRun(run: Run, step: Step<'run-requeue'>): Run | null {
  if (!isPlaced(run) || run.assignment?.attempt !== step.attempt) return null;
  // A benchmark's points are only worth anything on one and the same domain: it is not carried on elsewhere.
  if (run.attempts >= MAX_ATTEMPTS || run.spec.purpose === 'benchmark') {
    return {
      ...run,
      state: 'lost',
      finishedAtMs: step.atMs,
      error: `${step.reason}; gave up after attempt ${run.attempts}`,
    };
  }
  return { ...run, state: 'queued', startedAtMs: null, error: step.reason };
}

export function cancelRun(run: Run, step: Step<'run-cancel'>): Run | null {
  if (isTerminal(run)) return null;
  return { ...run, state: 'cancelled', finishedAtMs: step.atMs, error: 'cancelled by request' };
}
