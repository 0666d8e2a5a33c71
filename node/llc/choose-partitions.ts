/** What holds the runs of this node to their ways: resctrl, an emulation of it, or accounts alone. */
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import type { Clock, Logger } from '../ports.ts';
import type { PoolLimits } from './allocation/types.ts';
import { EmulatedResctrl } from './emulator/emulator.ts';
import { machineLike } from './emulator/machine.ts';
import { fileMemory } from './emulator/memory.ts';
import { ProcProcesses, residentMemory, threadsOf } from './emulator/processes.ts';
import { PartitionManager } from './partitions/manager.ts';
import { fileNote } from './partitions/root-group.ts';
import type { Partitions } from './partitions/types.ts';
import { UnenforcedPartitions } from './partitions/unenforced.ts';
import { detectResctrl } from './resctrl/detect.ts';
import type { ResctrlFs } from './resctrl/port.ts';
import { RealResctrl } from './resctrl/real.ts';
import { readResctrlTopology } from './resctrl/resctrl-topology.ts';
import type { Topology } from './types.ts';

export interface ChosenPartitions {
  readonly partitions: Partitions;
  readonly kind: 'resctrl' | 'emulated' | 'unenforced';
  /** As resctrl divides the caches, where it does; else as given. */
  readonly topology: Topology;
}

/** Makes an emulated resctrl. */
export type Emulate = (topology: Topology) => ResctrlFs;

export interface ChoiceOptions {
  readonly mode: 'auto' | 'resctrl' | 'emulated' | 'unenforced';
  /** File that keeps the mask of resctrl's root group over a crash. */
  readonly noteFile: string;
  /** File that keeps the groups of an emulated resctrl over a crash. */
  readonly emulatorFile: string;
  /** Where tools are looked for. */
  readonly searchPath: string;
  readonly pool: PoolLimits;
}

export interface ChoiceDependencies {
  readonly topology: Topology;
  readonly nodeId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onChange: () => void;
  /** @default the machine's resctrl */
  readonly detect?: typeof detectResctrl;
  /** @default an emulator of a machine with these caches, whose groups outlive the daemon as the kernel's do */
  readonly emulate?: Emulate;
}

/** The failure is a sentence: resctrl was demanded and can't be had. */
export async function choosePartitions(
  options: ChoiceOptions,
  dependencies: ChoiceDependencies,
): Promise<Outcome<ChosenPartitions, string>> {
  const { mode } = options;
  const { topology } = dependencies;
  const count = (why: string) => succeed(counting(why, options, dependencies));
  if (mode === 'unenforced') return count('the node was started with --llc unenforced');
  if (mode === 'emulated') {
    const fs = (dependencies.emulate ?? emulator(options, dependencies))(topology);
    return succeed({ partitions: manage(fs, topology, options, dependencies), kind: mode, topology });
  }
  const found = await (dependencies.detect ?? detectResctrl)();
  if (found.kind === 'usable' && topology.source !== 'override') {
    const fs = new RealResctrl({ root: found.root, searchPath: options.searchPath });
    const divided = await readResctrlTopology(fs, topology);
    if (divided.ok) {
      const { ways, domains } = divided.value;
      const held = { ...topology, domains: domains.map((domain) => ({ ...domain, ways })) };
      return succeed({
        partitions: manage(fs, held, options, dependencies),
        kind: 'resctrl',
        topology: held,
      });
    }
    await fs[Symbol.asyncDispose]();
    if (mode === 'resctrl') return fail(divided.error.message);
    return count(divided.error.message);
  }
  const why = found.kind === 'usable' ? '--llc-geometry overrides what resctrl would hold' : found.message;
  return mode === 'resctrl' ? fail(why) : count(why);
}

/** As most servers of Intel's have it; emulated only where it is asked for, because it has fewer classes of service. */
const EMULATED_MBA = { closids: 8, minBandwidth: 10, granularity: 10 };

const emulator =
  ({ emulatorFile: file, pool }: ChoiceOptions, { clock }: ChoiceDependencies): Emulate =>
  (topology) =>
    new EmulatedResctrl(
      { machine: { ...machineLike(topology), ...(pool.bandwidthPercent !== null && { mba: EMULATED_MBA }) } },
      { processes: new ProcProcesses(), clock, counters: residentMemory(), memory: fileMemory(file) },
    );

function counting(
  why: string,
  { pool }: ChoiceOptions,
  { topology, onChange, logger }: ChoiceDependencies,
): ChosenPartitions {
  if (pool.bandwidthPercent !== null)
    logger.warn({ wanted: pool.bandwidthPercent }, `the shared pool has no limit of bandwidth: ${why}`);
  const reason = `ways are reserved but not enforced: ${why}`;
  return {
    partitions: new UnenforcedPartitions({ reason }, { topology, onChange }),
    kind: 'unenforced',
    topology,
  };
}

function manage(
  fs: ResctrlFs,
  topology: Topology,
  { mode, noteFile, pool }: ChoiceOptions,
  { nodeId, clock, logger, onChange }: ChoiceDependencies,
): PartitionManager {
  const note = fileNote(noteFile);
  return new PartitionManager(
    { pool, emulated: mode === 'emulated' },
    { fs, clock, logger, nodeId, topology, threadsOf, note, onChange },
  );
}
