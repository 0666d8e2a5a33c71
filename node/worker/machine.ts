/** What the machine has and how busy it is. */
import { availableParallelism, freemem, loadavg, totalmem } from 'node:os';

export interface MachineReading {
  /** CPUs that this process may use. */
  readonly cpus: number;
  /** Memory of the machine, or of the control group that the daemon is confined to. */
  readonly memoryBytes: number;
  /** What programs could still take, counting caches that the kernel would give up. */
  readonly freeMemoryBytes: number;
  /** Mean number of runnable processes over the last minute. */
  readonly load1: number;
}

export interface Machine {
  read(): MachineReading;
}

/** Memory of the machine, or of the control group that the daemon is confined to. */
export function machineMemoryBytes(): number {
  const total = totalmem();
  // Zero or beyond the machine's memory: not confined.
  const limit = process.constrainedMemory();
  return limit > 0 && limit < total ? limit : total;
}

export const systemMachine: Machine = {
  read() {
    const memoryBytes = machineMemoryBytes();
    return {
      cpus: availableParallelism(),
      memoryBytes,
      freeMemoryBytes: Math.min(memoryBytes, freemem(), process.availableMemory()),
      load1: loadavg()[0] ?? 0,
    };
  },
};
