import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NodeConfig } from '../config/config.ts';
import type { Clock } from '../ports.ts';
import { resolveProgram } from '../worker/command.ts';
import { openIsolation } from '../worker/isolation/open-isolation.ts';
import { chooseRunAs, resolveRunUser } from '../worker/isolation/run-user.ts';
import { IsolationError, UNLIMITED } from '../worker/isolation/types.ts';
import type { Finding } from './types.ts';

/** Tries what a node would try, in a directory of its own. */
export async function checkIsolation(
  config: NodeConfig,
  searchPath: string,
  clock: Clock,
): Promise<Finding[]> {
  const runAs = chooseRunAs(config.runAs);
  return [await checkUser(runAs), await checkSandbox(config, runAs, searchPath, clock)];
}

async function checkUser(runAs: string | null): Promise<Finding> {
  try {
    const { user } = await resolveRunUser(runAs);
    const told = user.uid === 0 ? ': programs have all rights on this machine' : '';
    return { what: 'user', state: 'ok', message: `programs run as ${user.name}${told}` };
  } catch (error) {
    if (!(error instanceof IsolationError)) throw error;
    return { what: 'user', state: 'failed', message: error.message };
  }
}

async function checkSandbox(
  config: NodeConfig,
  runAs: string | null,
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
      },
      clock,
    );
    await isolator[Symbol.asyncDispose]();
    return { what: 'bubblewrap', state: 'ok', message: found.ok ? found.value : '' };
  } catch (error) {
    if (!(error instanceof IsolationError)) throw error;
    const why = found.ok
      ? 'it does not work here: allow user namespaces, or run the node outside of this container'
      : 'install bubblewrap';
    const state = config.sandbox === 'on' ? 'failed' : 'missing';
    return { what: 'bubblewrap', state, message: `programs run without a sandbox: ${why}` };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
