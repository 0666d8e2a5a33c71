/** Proposals of this node that wait to be committed and applied. */

import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import type { Proposed } from './messages.ts';
import type { Committed, ProposalFailure } from './types.ts';

export type ProposalOutcome<Result> = Outcome<Committed<Result>, ProposalFailure>;
export type Settle<Result> = (outcome: ProposalOutcome<Result>) => void;

export class ProposalLedger<Result> {
  readonly #waiting = new Map<number, { readonly term: number; readonly settle: Settle<Result> }>();

  expect(index: number, term: number, settle: Settle<Result>): void {
    this.#waiting.set(index, { term, settle });
  }

  /** The entry at `index` is applied. If another term's entry stands there, ours is lost for good. */
  applied(index: number, term: number, result: Result): void {
    const proposal = this.#waiting.get(index);
    if (proposal === undefined) return;
    this.#waiting.delete(index);
    if (proposal.term === term) proposal.settle(succeed({ index, term, result }));
    else proposal.settle(fail({ code: 'UNKNOWN' }));
  }

  failAll(failure: ProposalFailure): void {
    const settles = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { settle } of settles) settle(fail(failure));
  }
}

interface QueuedCommand<Result> {
  readonly data: Uint8Array;
  readonly settle: Settle<Result>;
}

/** Commands from when they are proposed until they are answered: first queued, then appended and waiting. */
export class CommandDesk<Result> {
  readonly #appended = new ProposalLedger<Result>();
  #queue: QueuedCommand<Result>[] = [];

  /** @returns whether it is the first in the queue */
  enqueue(data: Uint8Array, settle: Settle<Result>): boolean {
    return this.#queue.push({ data, settle }) === 1;
  }

  /** Hands the queue to `propose`; what it doesn't answer before it returns is STOPPED. */
  flush(propose: (commands: readonly Uint8Array[], answered: (proposed: Proposed) => void) => void): void {
    const queue = this.#queue.splice(0);
    if (queue.length === 0) return;
    let isAnswered = false;
    propose(
      queue.map(({ data }) => data),
      ({ accepted, firstIndex, term, refusal }) => {
        isAnswered = true;
        for (const [position, { settle }] of queue.entries()) {
          if (position < accepted) this.#appended.expect(firstIndex + position, term, settle);
          else settle(fail(refusal ?? { code: 'BUSY' }));
        }
      },
    );
    if (isAnswered) return;
    for (const { settle } of queue) settle(fail({ code: 'STOPPED' }));
  }

  applied(index: number, term: number, result: Result): void {
    this.#appended.applied(index, term, result);
  }

  failAll(failure: ProposalFailure): void {
    for (const { settle } of this.#queue.splice(0)) settle(fail(failure));
    this.#appended.failAll(failure);
  }
}
