/** Takes what workers report of their attempts, makes it durable, and answers only then. */

import type { WritableShelf } from '../../protocols/blob/index.ts';
import type { AttemptReport, AttemptResult, StartedNotice } from '../../protocols/schema/attempt.ts';
import type { Command } from '../../protocols/schema/command.ts';
import type { ControlResponse } from '../../protocols/schema/messages.ts';
import type { Answer } from '../../protocols/schema/outcome.ts';
import { isPlaced, type Run, type RunResult } from '../../protocols/schema/run.ts';
import type { NodeId } from '../consensus/types.ts';
import type { Clock, Logger } from '../ports.ts';
import { startRun } from '../state/run-lifecycle.ts';
import type { Tables } from '../state/tables.ts';
import { storeOutput } from './outputs.ts';
import type { Propose } from './propose.ts';

export interface ReportDeskDependencies {
  readonly tables: Tables;
  readonly propose: Propose;
  readonly shelf: WritableShelf;
  readonly replicate: (sha256: string) => Promise<Answer<void>>;
  readonly clock: Clock;
  readonly logger: Logger;
}

const STALE: ControlResponse = {
  type: 'refused',
  code: 'STALE',
  message: 'this attempt is no longer the current one of its run',
};
const AGAIN: ControlResponse = { type: 'not-master', master: null };

/** Files that a report can have: each stream is one if it is large. */
const FILES_OF_A_REPORT = 2;

/** What reports of one attempt have stored, while it isn't over. */
interface Stored {
  readonly fence: Fence;
  readonly from: NodeId;
  readonly files: Set<string>;
}

type Fence = Pick<AttemptReport, 'runId' | 'attempt' | 'term'>;

/**
 * A worker is believed no further than its attempt goes. Before anything of a report is stored, and again before it is
 * proposed, it must be one that would apply: what is stored and then found stale stays on the disks for an hour, and
 * what is proposed stays in the log. For the same reason one report of a run is taken at a time, and a worker that
 * tells of ever other outputs, while none can be committed, is soon told to stop: an honest one repeats itself.
 */
export class ReportDesk {
  readonly #deps: ReportDeskDependencies;
  /** Runs of which a start, or a report, is being taken. */
  readonly #starting = new Set<string>();
  readonly #reporting = new Set<string>();
  readonly #stored = new Map<string, Stored>();

  constructor(dependencies: ReportDeskDependencies) {
    this.#deps = dependencies;
  }

  started(from: NodeId, notice: StartedNotice): Promise<ControlResponse> {
    const { runId, attempt, term, atMs } = notice;
    const step = { type: 'run-start', runId, attempt, term, atMs } as const;
    return oneAtATime(this.#starting, runId, async () => {
      const run = this.#runOf(from, notice);
      if (run === null || startRun(run, step) === null) return STALE;
      return this.#propose(step);
    });
  }

  report(from: NodeId, report: AttemptReport): Promise<ControlResponse> {
    return oneAtATime(this.#reporting, report.runId, () => this.#take(from, report));
  }

  async #take(from: NodeId, report: AttemptReport): Promise<ControlResponse> {
    const { runId, attempt, term, state, error } = report;
    if (this.#runOf(from, report) === null) return STALE;
    const files = this.#filesOf(from, report);
    if (files.size > FILES_OF_A_REPORT) return STALE;
    const result = report.result && (await this.#store(report.result, files));
    if (result && !result.ok) {
      this.#deps.logger.warn({ run: runId, reason: result.error.message }, 'run output not stored yet');
      return AGAIN;
    }
    if (this.#runOf(from, report) === null) return STALE;
    const atMs = this.#deps.clock.nowMs();
    return this.#propose({
      ...{ type: 'run-finish', runId, attempt, term, state, error, atMs },
      result: result?.value ?? null,
    });
  }

  async #propose(command: Command): Promise<ControlResponse> {
    const outcome = await this.#deps.propose(command);
    if (!outcome.ok) return AGAIN;
    return outcome.value.ok ? { type: 'ok' } : STALE;
  }

  /** The run, if this is its current attempt and this node carries it out: of others nobody may tell. */
  #runOf(from: NodeId, { runId, attempt, term }: Fence): Run | null {
    const run = this.#deps.tables.run(runId);
    if (run === undefined || !isPlaced(run) || run.assignment === null) return null;
    const { assignment } = run;
    const isTheirs = assignment.attempt === attempt && assignment.term === term && assignment.node === from;
    return isTheirs ? run : null;
  }

  #filesOf(from: NodeId, { runId, attempt, term }: Fence): Set<string> {
    for (const [id, stored] of this.#stored) {
      if (this.#runOf(stored.from, stored.fence) === null) this.#stored.delete(id);
    }
    const known = this.#stored.get(runId);
    if (known !== undefined) return known.files;
    const files = new Set<string>();
    this.#stored.set(runId, { fence: { runId, attempt, term }, from, files });
    return files;
  }

  async #store(result: AttemptResult, files: Set<string>): Promise<Answer<RunResult>> {
    const { shelf, replicate } = this.#deps;
    const onStored = (sha256: string) => {
      files.add(sha256);
      return replicate(sha256);
    };
    const stdout = await storeOutput(result.stdout, shelf, onStored);
    if (!stdout.ok) return stdout;
    const stderr = await storeOutput(result.stderr, shelf, onStored);
    if (!stderr.ok) return stderr;
    return { ok: true, value: { ...result, stdout: stdout.value, stderr: stderr.value } };
  }
}

async function oneAtATime(
  underWay: Set<string>,
  runId: string,
  take: () => Promise<ControlResponse>,
): Promise<ControlResponse> {
  if (underWay.has(runId)) return AGAIN;
  underWay.add(runId);
  try {
    return await take();
  } finally {
    underWay.delete(runId);
  }
}
