/** What would keep a run from its neighbours here: user, sandbox, limits. */
import { constants } from 'node:fs';
import { access, chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NodeConfig } from '../config/config.ts';
import type { Clock, Logger } from '../ports.ts';
import { resolveProgram } from '../worker/command.ts';
import { findOwnCgroup } from '../worker/isolation/cgroup-tree.ts';
import { openIsolation, UNFILTERED } from '../worker/isolation/open-isolation.ts';
import { chooseRunAs, resolveIdentity, warningOf } from '../worker/isolation/run-user.ts';
import { IsolationError, type IsolationOptions, UNLIMITED } from '../worker/isolation/types.ts';
import { formatUidRange } from '../worker/isolation/uid-range.ts';
import { type Finding, finding, succeeds } from './finding.ts';

/** What went wrong is told by the findings. */
const SILENT: Logger = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  child: () => SILENT,
};

/** Tries what a node would try, in a directory of its own. */
export async function checkIsolation(
  config: NodeConfig,
  searchPath: string,
  clock: Clock,
): Promise<Finding[]> {
  const runAs = chooseRunAs(config);
  // A user that isn't there is no fault of the sandbox, which is tried as this user then.
  const exists = await succeeds(resolveIdentity(runAs));
  const sandbox = await checkSandbox(config, exists ? runAs : null, searchPath, clock);
  return [await checkUser(runAs, config.sandbox !== 'off' && sandbox.state === 'ok'), sandbox];
}

/** Looks only: a node started from here would have the same group, and may have to move within it. */
export async function checkCgroups(): Promise<Finding> {
  const own = findOwnCgroup();
  const why =
    own === null
      ? 'there is no cgroup v2 on this machine: boot with the unified hierarchy'
      : await lacks(own);
  return why === null
    ? finding('cgroups', 'ok', `${own}, where the node is alone in it`)
    : finding('cgroups', 'missing', `runs are limited by prlimit only: ${why}`);
}

async function lacks(group: string): Promise<string | null> {
  const controllers = await readFile(join(group, 'cgroup.controllers'), 'utf8').catch(() => '');
  const lacking = ['memory', 'pids'].filter((name) => !controllers.split(/\s+/).includes(name));
  if (lacking.length > 0)
    return `${group} has no ${lacking.join(' and no ')} controller: delegate them to the node (Delegate=yes)`;
  if (await succeeds(access(join(group, 'cgroup.subtree_control'), constants.W_OK))) return null;
  return `${group} is not delegated to this user: start the node as a service with Delegate=yes`;
}

async function checkUser(runAs: IsolationOptions['runAs'], sandboxed: boolean): Promise<Finding> {
  try {
    const identity = await resolveIdentity(runAs);
    if (identity.kind === 'own') {
      return finding('user', 'ok', `each run has a user of its own, from ${formatUidRange(identity.range)}`);
    }
    const { user } = identity;
    const shared = warningOf(identity, sandboxed);
    return shared === null
      ? finding('user', 'ok', `programs run as ${user.name}`)
      : finding('user', 'missing', shared);
  } catch (error) {
    if (!(error instanceof IsolationError)) throw error;
    return finding('user', 'failed', error.message);
  }
}

async function checkSandbox(
  config: NodeConfig,
  runAs: IsolationOptions['runAs'],
  searchPath: string,
  clock: Clock,
): Promise<Finding> {
  const found = await resolveProgram('bwrap', searchPath, '/');
  const scratch = await mkdtemp(join(tmpdir(), 'fsched-doctor-'));
  try {
    await chmod(scratch, 0o711);
    const isolator = await openIsolation(
      { runAs, sandbox: 'on', sandboxNetwork: config.sandboxNetwork, limits: UNLIMITED },
      {
        searchPath,
        directory: join(scratch, 'work'),
        openDirectory: join(scratch, 'open'),
        hidden: [config.dataDir],
        tag: 'doctor',
        claimsDirectory: join(scratch, 'run-uids'),
      },
      { clock, logger: SILENT },
    );
    const { seccomp } = isolator.describe(null);
    await isolator[Symbol.asyncDispose]();
    return seccomp
      ? finding('bubblewrap', 'ok', found.ok ? found.value : '')
      : finding('bubblewrap', 'missing', UNFILTERED);
  } catch (error) {
    if (!(error instanceof IsolationError)) throw error;
    const why = found.ok
      ? 'it does not work here: allow user namespaces, or run the node outside of this container'
      : 'install bubblewrap';
    const state = config.sandbox === 'on' ? 'failed' : 'missing';
    const reach = 'they see the files and the network of this machine, as far as their user may';
    return finding('bubblewrap', state, `programs run without a sandbox: ${why} (${reach})`);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
