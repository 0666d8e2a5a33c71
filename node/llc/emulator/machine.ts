/** What the emulator is told of the machine that it plays. */
import { fullMask } from '../masks.ts';
import type { Topology } from '../types.ts';

export interface EmulatedDomain {
  /** As the kernel numbers them: may have gaps and need not begin at 0. */
  readonly id: number;
  /** Online CPUs, ascending. */
  readonly cpus: readonly number[];
}

export interface EmulatedMachine {
  /** AMD allows masks with gaps and without a bit, and has no minimum. @default intel */
  readonly vendor?: 'intel' | 'amd';
  readonly domains: readonly EmulatedDomain[];
  /** 1 to 32. */
  readonly ways: number;
  readonly wayBytes: number;
  /** Of the hardware; a mount with CDP has half. @default 16 */
  readonly closids?: number;
  /** Null for a machine without monitoring. @default 64 */
  readonly rmids?: number | null;
  /** Ways that I/O devices use too. @default 0 */
  readonly shareableBits?: number;
  /** @default 1 on Intel (Haswell: 2), 0 on AMD */
  readonly minCbmBits?: number;
  /** Masks with gaps. @default on AMD only */
  readonly sparseMasks?: boolean;
  /** Newer kernels tell it in `info/L3/sparse_masks`. @default false */
  readonly tellsSparseMasks?: boolean;
  /** Whether it could be mounted with CDP, which also widens the names in schemata. @default true */
  readonly cdpCapable?: boolean;
  /** Memory bandwidth allocation in percent, null without. @default null */
  readonly mba?: EmulatedMba | null;
  /** Possible CPUs, online or not. @default the highest online CPU and one */
  readonly possibleCpus?: number;
  /** @default 262144 */
  readonly maxThresholdOccupancy?: number;
}

/** Bandwidths in percent. */
export interface EmulatedMba {
  readonly closids: number;
  readonly minBandwidth: number;
  readonly granularity: number;
}

export type CompleteMachine = Required<EmulatedMachine>;

/** @throws RangeError for a machine that can't be */
export function completeMachine(machine: EmulatedMachine): CompleteMachine {
  const amd = machine.vendor === 'amd';
  const highestCpu = Math.max(-1, ...machine.domains.flatMap((domain) => domain.cpus));
  const complete = {
    vendor: 'intel',
    closids: 16,
    rmids: 64,
    shareableBits: 0,
    minCbmBits: amd ? 0 : 1,
    sparseMasks: amd,
    tellsSparseMasks: false,
    cdpCapable: true,
    mba: null,
    possibleCpus: highestCpu + 1,
    maxThresholdOccupancy: 262_144,
    ...machine,
  } satisfies CompleteMachine;
  if (complete.ways < 1 || complete.ways > 32) throw new RangeError('a cache has 1 to 32 ways');
  if (complete.shareableBits > fullMask(complete.ways)) throw new RangeError('shareable bits without ways');
  if (complete.possibleCpus <= highestCpu) throw new RangeError('an online CPU must be possible');
  const domains = machine.domains.toSorted((left, right) => left.id - right.id);
  if (new Set(domains.map((domain) => domain.id)).size < domains.length) {
    throw new RangeError('two domains have one id');
  }
  return { ...complete, domains };
}

/** A machine with the caches that this one has, to run whole nodes where the hardware can't allocate. */
export function machineLike(topology: Pick<Topology, 'domains'>): EmulatedMachine {
  const [first] = topology.domains;
  if (first === undefined) throw new RangeError('a machine has a cache');
  // The kernel has one number of ways for all domains, and takes domains to be alike.
  return {
    domains: topology.domains.map(({ id, cpus }) => ({ id, cpus })),
    ways: Math.min(32, ...topology.domains.map((domain) => domain.ways)),
    wayBytes: first.wayBytes,
  };
}
