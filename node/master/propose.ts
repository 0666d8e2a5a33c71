/** Proposals as the master's parts make them: commands in, the outcome of their application out. */

import type { Command } from '../../protocols/schema/command.ts';
import { type ApiFailure, fail, type Outcome } from '../../protocols/schema/outcome.ts';
import type { Consensus, ProposalFailure } from '../consensus/types.ts';
import { encodeCommand } from '../state/commands.ts';
import type { ApplyResult } from '../state/types.ts';

export type Propose = (command: Command) => Promise<Outcome<ApplyResult, ProposalFailure>>;

export function proposeTo(consensus: Pick<Consensus<ApplyResult>, 'propose'>): Propose {
  return async (command) => {
    const outcome = await consensus.propose(encodeCommand(command));
    return outcome.ok ? { ok: true, value: outcome.value.result } : outcome;
  };
}

/** What a client is told when a proposal was not, or perhaps not, committed. */
export function unavailable(failure: ProposalFailure): { readonly ok: false; readonly error: ApiFailure } {
  const retryAfterSeconds = 1;
  switch (failure.code) {
    case 'BUSY':
      return fail({
        code: 'UNAVAILABLE',
        message: 'too many changes are waiting for the disks of a majority; try again in a moment',
        retryAfterSeconds,
      });
    case 'INVALID_CHANGE':
      return fail({ code: 'CONFLICT', message: `the membership can't change now: ${failure.reason}` });
    case 'UNKNOWN':
      return fail({
        code: 'NO_MASTER',
        message:
          'the master changed before this was confirmed, so it may or may not have happened; ' +
          'ask again with the same Idempotency-Key',
        retryAfterSeconds,
      });
    default:
      return fail({
        code: 'NO_MASTER',
        message: 'this node stopped being master; try again, the next one is being elected',
        retryAfterSeconds,
      });
  }
}
