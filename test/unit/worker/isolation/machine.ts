/** What tests of isolation can have here: each false, or why they are skipped. */
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { userInfo } from 'node:os';
import { orNull } from '../../../../node/or-null.ts';
import type { UidRange } from '../../../../node/worker/isolation/uid-range.ts';

const isRoot = process.geteuid?.() === 0;

export const NEEDS_ROOT = isRoot ? false : 'only root can run programs as another user';

/** Of who runs the tests; in a container perhaps a number without a name. */
export const OWN_USER = orNull(() => userInfo().username) ?? String(process.geteuid?.());

export const NO_SANDBOX = sandboxFault();

function sandboxFault(): string | false {
  const args = ['--unshare-pid', '--unshare-net', ...(isRoot ? [] : ['--unshare-user'])];
  const tried = spawnSync('bwrap', [...args, '--ro-bind', '/', '/', '--', '/bin/true'], { encoding: 'utf8' });
  if (tried.error !== undefined) return 'bubblewrap is not installed';
  return tried.status === 0 ? false : `bubblewrap does not work here: ${tried.stderr.trim()}`;
}

/** Ids that no other test has. */
export function rangeOf(count: number): UidRange {
  const first = 1_900_000_000 + randomInt(50_000_000);
  return { first, last: first + count - 1 };
}
