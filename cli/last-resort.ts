/**
 * What becomes of a daemon whose code met what nobody thought of: an exception or a rejection that nothing handles. It
 * ends at once. To go on would be to vote, write and lend from a state that no part knows to be whole; what counts is on
 * disk, programs die with the daemon, its next start sweeps what they left, and meanwhile the cluster does without it.
 * Its parts aren't stopped in order: they are what can't be trusted any more.
 */
import type { Logger } from '../node/ports.ts';
import { EXIT } from './exit-codes.ts';

export function endOnMistakes(logger: Pick<Logger, 'error'>): void {
  process.on('uncaughtException', (error, origin) => {
    try {
      logger.error({ err: error, origin }, 'the node ends: a mistake in fsched itself, please report it');
    } finally {
      process.exit(EXIT.INTERNAL);
    }
  });
}
