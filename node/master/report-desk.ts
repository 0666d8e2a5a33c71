/** Takes what workers report of their attempts, makes it durable, and answers only then. */

import type { WritableShelf } from '../../protocols/blob/index.ts';
import type { AttemptReport, AttemptResult, StartedNotice } from '../../protocols/schema/attempt.ts';
import type { ControlResponse } from '../../protocols/schema/messages.ts';
import type { Answer } from '../../protocols/schema/outcome.ts';
import { isPlaced, type RunResult } from '../../protocols/schema/run.ts';
import type { NodeId } from '../consensus/types.ts';
import type { Clock, Logger } from '../ports.ts';
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

export class ReportDesk {
  readonly #deps: ReportDeskDependencies;

  constructor(dependencies: ReportDeskDependencies) {
    this.#deps = dependencies;
  }

  async started(from: NodeId, notice: StartedNotice): Promise<ControlResponse> {
    const { runId, attempt, term, atMs } = notice;
    if (!this.#isTheirs(from, notice)) return STALE;
    const outcome = await this.#deps.propose({ type: 'run-start', runId, attempt, term, atMs });
    if (!outcome.ok) return AGAIN;
    return outcome.value.ok ? { type: 'ok' } : STALE;
  }

  async report(from: NodeId, report: AttemptReport): Promise<ControlResponse> {
    const { runId, attempt, term, state, error } = report;
    if (!this.#isTheirs(from, report)) return STALE;
    const result = report.result && (await this.#store(report.result));
    if (result && !result.ok) {
      this.#deps.logger.warn({ run: runId, reason: result.error.message }, 'run output not stored yet');
      return AGAIN;
    }
    const outcome = await this.#deps.propose({
      type: 'run-finish',
      runId,
      attempt,
      term,
      state,
      result: result?.value ?? null,
      error,
      atMs: this.#deps.clock.nowMs(),
    });
    if (!outcome.ok) return AGAIN;
    return outcome.value.ok ? { type: 'ok' } : STALE;
  }

  /** Whether it is the current attempt of its run, and this node carries it out: of others nobody may tell. */
  #isTheirs(from: NodeId, { runId, attempt }: Pick<AttemptReport, 'runId' | 'attempt'>): boolean {
    const run = this.#deps.tables.run(runId);
    if (run === undefined || !isPlaced(run)) return false;
    return run.assignment?.attempt === attempt && run.assignment.node === from;
  }

  async #store(result: AttemptResult): Promise<Answer<RunResult>> {
    const stdout = await storeOutput(result.stdout, this.#deps.shelf, this.#deps.replicate);
    if (!stdout.ok) return stdout;
    const stderr = await storeOutput(result.stderr, this.#deps.shelf, this.#deps.replicate);
    if (!stderr.ok) return stderr;
    return { ok: true, value: { ...result, stdout: stdout.value, stderr: stderr.value } };
  }
}
