/**
 * Child processes on a machine that may have no room for one. `spawn` tells it in three ways: it throws (out of memory),
 * or gives a child without a pid that says why later, and then without the streams that its type promises (out of
 * descriptors) or with them (no such program).
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fail, type Outcome, succeed } from '../protocols/schema/outcome.ts';

/**
 * A child that runs, with its streams, or why there is none. Whoever waits for it misses nothing of it.
 * @param start calls `spawn`
 */
export async function startProcess<Child extends ChildProcess>(
  start: () => Child,
): Promise<Outcome<Child & { readonly pid: number }, Error>> {
  try {
    const child = start();
    if (isRunning(child)) return succeed(child);
    const [error] = await once(child, 'error');
    return fail(error);
  } catch (error) {
    return fail(error instanceof Error ? error : new Error(String(error)));
  }
}

const isRunning = <Child extends ChildProcess>(child: Child): child is Child & { readonly pid: number } =>
  child.pid !== undefined;
