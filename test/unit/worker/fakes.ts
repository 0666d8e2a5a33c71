/** A launcher whose programs end when the test says so. */

import type { LentUser } from '../../../node/worker/isolation/types.ts';
import type {
  LaunchedProcess,
  Launcher,
  LaunchFailure,
  LaunchOrder,
  ProcessEnd,
} from '../../../node/worker/launcher.ts';
import { fail, type Outcome, succeed } from '../../../protocols/schema/outcome.ts';
import type { Isolation } from '../../../protocols/schema/run.ts';

export const FAKE_ISOLATION: Isolation = {
  user: 'nobody',
  limits: 'prlimit',
  sandbox: 'none',
  network: true,
  pinned: true,
};

export class FakeProgram implements LaunchedProcess {
  readonly pid = 4242;
  readonly cpus: readonly number[];
  readonly startedAtMs = 1_700_000_000_000;
  readonly isolation = FAKE_ISOLATION;
  readonly order: LaunchOrder;
  readonly ended: Promise<ProcessEnd>;
  readonly kill: AbortSignal;
  readonly #end = Promise.withResolvers<ProcessEnd>();

  constructor(order: LaunchOrder, kill: AbortSignal) {
    this.order = order;
    this.cpus = order.cpus;
    this.kill = kill;
    this.ended = this.#end.promise;
    kill.addEventListener('abort', () => this.finish({ exitStatus: 137, signal: 'SIGKILL', killed: true }));
  }

  output(stream: 'stdout' | 'stderr', offset: number): Uint8Array {
    return Buffer.from(stream === 'stdout' ? 'so far' : '').subarray(offset);
  }

  finish(end: Partial<ProcessEnd> = {}): void {
    this.#end.resolve({
      exitStatus: 0,
      signal: null,
      executionTimeNs: 1_500_000,
      stdout: { bytes: Buffer.from('all of it'), truncated: false },
      stderr: { bytes: new Uint8Array(), truncated: false },
      killed: false,
      outOfMemoryAtBytes: null,
      overDisk: null,
      ...end,
    });
  }
}

export class FakeLauncher implements Launcher {
  readonly programs: FakeProgram[] = [];
  readonly calls: string[] = [];
  failure: LaunchFailure | null = null;

  async start(): Promise<void> {
    this.calls.push('start');
  }

  async stop(): Promise<void> {
    this.calls.push('stop');
  }

  /** Why no user is free; null: one is. */
  noUser: string | null = null;
  /** Attempts whose user was not given back. */
  readonly users = new Set<string>();

  async lendUser(runId: string, attempt: number): Promise<Outcome<LentUser, string>> {
    if (this.noUser !== null) return fail(this.noUser);
    const name = `${runId}-${attempt}`;
    this.users.add(name);
    const release = async () => void this.users.delete(name);
    return succeed({ user: { name: 'nobody', uid: 65_534, gid: 65_534 }, own: false, release });
  }

  async launch(order: LaunchOrder, kill: AbortSignal): Promise<Outcome<LaunchedProcess, LaunchFailure>> {
    if (kill.aborted) return fail({ code: 'KILLED', message: 'killed' });
    if (this.failure !== null) return fail(this.failure);
    const program = new FakeProgram(order, kill);
    this.programs.push(program);
    return succeed(program);
  }

  get last(): FakeProgram {
    const program = this.programs.at(-1);
    if (program === undefined) throw new Error('nothing was launched');
    return program;
  }
}
