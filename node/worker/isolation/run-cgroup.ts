/** The control group of one run (cgroup-v2.rst). */
import { readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { orNull } from '../../or-null.ts';
import { pause } from '../../pause.ts';
import type { Clock } from '../../ports.ts';
import type { RunLimits } from './types.ts';

const PERIOD_US = 100_000;
const LOOK_MS = 1;
const GIVE_UP_MS = 5000;

export class RunCgroup {
  readonly #directory: string;
  readonly #clock: Clock;

  constructor(directory: string, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
  }

  /** Throws when a limit is refused. */
  limit(limits: RunLimits, controllers: readonly string[]): void {
    const { memoryBytes, processes, cpus } = limits;
    if (memoryBytes !== null && controllers.includes('memory')) {
      this.#write('memory.max', String(memoryBytes));
      // A run that loses one of its processes is seldom worth anything; and the report can say why it ended.
      this.#write('memory.oom.group', '1');
      // There is no such file without swap.
      orNull(() => this.#write('memory.swap.max', '0'));
    }
    if (processes !== null && controllers.includes('pids')) this.#write('pids.max', String(processes));
    if (cpus !== null && controllers.includes('cpu')) {
      this.#write('cpu.max', `${Math.round(cpus * PERIOD_US)} ${PERIOD_US}`);
    }
  }

  /** Throws when the process can't be moved, as when it has ended. */
  enter(pid: number): void {
    this.#write('cgroup.procs', String(pid));
  }

  /** Whether the kernel killed something of it because its memory was used up. */
  wasOutOfMemory(): boolean {
    const count = /^oom_kill (\d+)$/m.exec(orNull(() => this.#read('memory.events')) ?? '')?.[1];
    return Number(count ?? 0) > 0;
  }

  /** To disks, also by processes that are over; 0 where the kernel doesn't say (no `io` controller). */
  readWrittenBytes(): number {
    const text = orNull(() => this.#read('io.stat')) ?? '';
    // What lies on devices of devices is told by each of them.
    return Math.max(0, ...[...text.matchAll(/ wbytes=(\d+)/g)].map(([, bytes]) => Number(bytes)));
  }

  /** Kills every process in it, also those being forked (since Linux 5.14); false when some are left. */
  async kill(): Promise<boolean> {
    if (!this.#isPopulated()) return true;
    orNull(() => this.#write('cgroup.kill', '1'));
    const deadline = this.#clock.monotonicMs() + GIVE_UP_MS;
    while (this.#isPopulated()) {
      if (this.#clock.monotonicMs() > deadline) return false;
      await pause(this.#clock, LOOK_MS);
    }
    return true;
  }

  /** False when it withstands. */
  async remove(): Promise<boolean> {
    const deadline = this.#clock.monotonicMs() + GIVE_UP_MS;
    while (this.#clock.monotonicMs() < deadline) {
      const code = this.#remove();
      if (code === null || code === 'ENOENT') return true;
      if (code !== 'EBUSY') return false;
      // Zombies that nobody has waited for yet still belong to it.
      await pause(this.#clock, LOOK_MS);
    }
    return false;
  }

  #remove(): string | null {
    try {
      rmdirSync(this.#directory);
      return null;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? '';
    }
  }

  #isPopulated(): boolean {
    return /^populated 1$/m.test(orNull(() => this.#read('cgroup.events')) ?? '');
  }

  #read(file: string): string {
    return readFileSync(join(this.#directory, file), 'latin1');
  }

  #write(file: string, value: string): void {
    writeFileSync(join(this.#directory, file), value);
  }
}
