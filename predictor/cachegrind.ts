/**
 * Valgrind's simulated cache as this project uses it: what is simulated, how its output files are read (manual, section
 * "Cachegrind Output File Format") and what a miss costs. The profiler of a node and the dataset both measure by it.
 * Pure.
 */
import type { ProcessCensus } from '../protocols/schema/run.ts';
import { printable } from '../protocols/schema/text.ts';

/**
 * `--I1` and `--D1`: a first-level cache as most CPUs have had it for long; the same everywhere, so that curves can be
 * compared.
 */
export const L1_CACHE = '32768,8,64';

/** Totals of one process. */
export interface CachegrindSummary {
  /** The last-level cache that was really simulated. */
  readonly llBytes: number;
  readonly llWays: number;
  /** As it was started. */
  readonly command: string;
  readonly iRefs: number;
  readonly l1Misses: number;
  readonly llMisses: number;
}

/** The estimate of callgrind's "cycle estimation" (Callgrind manual): what a miss costs, in cycles. */
const L1_MISS_CYCLES = 10;
const LL_MISS_CYCLES = 100;
/** Cycles become seconds on a machine of 1 GHz: only their ratio means something. */
const CYCLES_PER_SECOND = 1e9;

/** It stands in a note for people. */
const MOST_COMMAND_CHARACTERS = 120;

/**
 * Null when the file is cut short or of another tool. The columns are those of --cache-sim=yes without --branch-sim.
 */
export function parseSummary(file: {
  readonly head: string;
  readonly tail: string;
}): CachegrindSummary | null {
  const cache = /^desc: LL cache:\s+(\d+) B, 64 B, (?:(\d+)-way associative|direct-mapped)/m.exec(file.head);
  const totals = /^summary: (\d+(?: \d+){8})\s*$/m.exec(file.tail)?.[1]?.split(' ').map(Number);
  if (cache === null || totals === undefined) return null;
  const [iRefs = 0, i1 = 0, iLl = 0, , d1Read = 0, dLlRead = 0, , d1Write = 0, dLlWrite = 0] = totals;
  return {
    llBytes: Number(cache[1]),
    llWays: Number(cache[2] ?? 1),
    command: /^cmd: (.*)$/m.exec(file.head)?.[1] ?? 'unknown',
    iRefs,
    l1Misses: i1 + d1Read + d1Write,
    llMisses: iLl + dLlRead + dLlWrite,
  };
}

/** In words, for whoever reads measurements without this code. */
export const FORMULA = `exec_time = (I refs + ${L1_MISS_CYCLES} * L1 misses + ${LL_MISS_CYCLES} * LL misses) / 1e9; misses are those of instructions, reads and writes`;

export interface CycleEstimate {
  readonly seconds: number;
  readonly counts: {
    readonly cycles: number;
    readonly iRefs: number;
    readonly l1Misses: number;
    readonly llMisses: number;
  };
}

type Counts = Pick<CachegrindSummary, 'iRefs' | 'l1Misses' | 'llMisses'>;

/** Of all processes of a program together. */
export function estimate(summaries: readonly Counts[]): CycleEstimate {
  const sum = (count: (summary: Counts) => number): number =>
    summaries.reduce((total, summary) => total + count(summary), 0);
  const iRefs = sum((summary) => summary.iRefs);
  const l1Misses = sum((summary) => summary.l1Misses);
  const llMisses = sum((summary) => summary.llMisses);
  const cycles = cyclesOf({ iRefs, l1Misses, llMisses });
  return { seconds: cycles / CYCLES_PER_SECOND, counts: { cycles, iRefs, l1Misses, llMisses } };
}

/** Null for one process. */
export function censusOf(summaries: readonly CachegrindSummary[]): ProcessCensus | null {
  if (summaries.length < 2) return null;
  const [most] = summaries.toSorted((a, b) => cyclesOf(b) - cyclesOf(a));
  if (most === undefined) return null;
  const { cycles } = estimate(summaries).counts;
  const share = cycles === 0 ? 0 : cyclesOf(most) / cycles;
  return {
    count: summaries.length,
    mostly: printable(most.command).slice(0, MOST_COMMAND_CHARACTERS) || 'unknown',
    share,
  };
}

const cyclesOf = ({ iRefs, l1Misses, llMisses }: Counts): number =>
  iRefs + L1_MISS_CYCLES * l1Misses + LL_MISS_CYCLES * llMisses;
