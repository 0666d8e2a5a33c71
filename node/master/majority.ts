/** What must lie on the disks of a majority of the voters before the log may speak of it. */
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import { quorum } from '../consensus/configuration.ts';
import type { NodeId } from '../consensus/types.ts';

/**
 * Resolves as soon as a majority has it, this node among them; the pushes still under way go on. Failure: why it can't
 * be a majority any more.
 * @param push null once it is there, or why it isn't
 */
export function storeOnMajority(
  { voters, self }: { readonly voters: readonly NodeId[]; readonly self: NodeId },
  push: (voter: NodeId) => Promise<string | null>,
): Promise<Outcome<void, string>> {
  const needed = quorum({ voters, learners: [] });
  const others = voters.filter((voter) => voter !== self);
  let stored = voters.length - others.length;
  let failed = 0;
  const { promise, resolve } = Promise.withResolvers<Outcome<void, string>>();
  const count = (reason: string | null): void => {
    if (reason === null) stored += 1;
    else failed += 1;
    if (stored >= needed) resolve(succeed(undefined));
    else if (voters.length - failed < needed)
      resolve(fail(`could not be stored on ${needed} of the ${voters.length} voters (${reason})`));
  };
  for (const voter of others) void push(voter).then(count);
  if (stored >= needed) resolve(succeed(undefined));
  return promise;
}
