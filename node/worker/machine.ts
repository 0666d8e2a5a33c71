/** What the machine has and how busy it is. */
import { availableParallelism, freemem, loadavg, totalmem } from 'node:os';
import type { CapacityNotice } from '../../protocols/schema/capacity.ts';

export type MachineReading = Pick<CapacityNotice, 'cpus' | 'memoryBytes' | 'freeMemoryBytes' | 'load1'>;

/** Memory of the machine, or of the control group that the daemon is confined to. */
export function machineMemoryBytes(): number {
  const total = totalmem();
  // Zero or beyond the machine's memory: not confined.
  const limit = process.constrainedMemory();
  return limit > 0 && limit < total ? limit : total;
}

/** The CPUs are those that this process may use; the free memory counts caches that the kernel would give up. */
export function readMachine(): MachineReading {
  const memoryBytes = machineMemoryBytes();
  return {
    cpus: availableParallelism(),
    memoryBytes,
    freeMemoryBytes: Math.min(memoryBytes, freemem(), process.availableMemory()),
    load1: loadavg()[0] ?? 0,
  };
}
