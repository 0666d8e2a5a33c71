import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findOwnCgroup } from '../worker/isolation/cgroup-tree.ts';
import type { Finding } from './types.ts';

/** Looks only: a node started from here would have the same group, and may have to move within it. */
export async function checkCgroups(): Promise<Finding[]> {
  const own = findOwnCgroup();
  if (own === null) return missing('there is no cgroup v2 on this machine: boot with the unified hierarchy');
  const controllers = await readFile(join(own, 'cgroup.controllers'), 'utf8').catch(() => '');
  const lacking = ['memory', 'pids'].filter((name) => !controllers.split(/\s+/).includes(name));
  if (lacking.length > 0) {
    return missing(
      `${own} has no ${lacking.join(' and no ')} controller: delegate them to the node (Delegate=yes)`,
    );
  }
  const writable = await access(join(own, 'cgroup.subtree_control'), constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!writable)
    return missing(`${own} is not delegated to this user: start the node as a service with Delegate=yes`);
  return [{ what: 'cgroups', state: 'ok', message: `${own}, where the node is alone in it` }];
}

function missing(why: string): Finding[] {
  return [{ what: 'cgroups', state: 'missing', message: `runs are limited by prlimit only: ${why}` }];
}
