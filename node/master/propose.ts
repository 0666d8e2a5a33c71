/** Proposals as the master's parts make them: commands in, the outcome of their application out. */

import type { Command } from '../../protocols/schema/command.ts';
import { type ApiFailure, fail, type Outcome } from '../../protocols/schema/outcome.ts';
import { WireError } from '../../protocols/wire/error.ts';
import type { Consensus, ProposalFailure } from '../consensus/types.ts';
import type { Logger } from '../ports.ts';
import { encodeCommand } from '../state/commands.ts';
import type { ApplyResult } from '../state/types.ts';

/** `INVALID`: its schema refuses the command, so it never comes to the log; `reason` says why. */
export type ProposeFailure = ProposalFailure | { readonly code: 'INVALID'; readonly reason: string };
/** Never rejects because of what is in the command: a part of it may be another node's word. */
export type Propose = (command: Command) => Promise<Outcome<ApplyResult, ProposeFailure>>;

export function proposeTo(
  consensus: Pick<Consensus<ApplyResult>, 'propose'>,
  { logger }: { readonly logger: Logger },
): Propose {
  return async (command) => {
    let entry: Uint8Array;
    try {
      entry = encodeCommand(command);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      logger.error({ command: command.type, reason: error.message }, 'command refused');
      return fail({ code: 'INVALID', reason: error.message });
    }
    const outcome = await consensus.propose(entry);
    return outcome.ok ? { ok: true, value: outcome.value.result } : outcome;
  };
}

/** What a client is told when a proposal was not, or perhaps not, committed. */
export function unavailable(failure: ProposeFailure): { readonly ok: false; readonly error: ApiFailure } {
  const retryAfterSeconds = 1;
  switch (failure.code) {
    case 'BUSY':
      return fail({
        code: 'UNAVAILABLE',
        message: 'too many changes are waiting for the disks of a majority; try again in a moment',
        retryAfterSeconds,
      });
    case 'INVALID':
      return fail({ code: 'UNPROCESSABLE', message: `that can't be recorded: ${failure.reason}` });
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
