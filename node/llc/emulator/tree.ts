/** The files and directories of the emulated filesystem: what each says when read, and does when written. */
import { formatCpuList } from '../cpu-list.ts';
import { formatMask, fullMask } from '../masks.ts';
import type { Errno } from '../resctrl/port.ts';
import type { Schema } from './controls.ts';
import {
  formatCpuMask,
  type ParsedCpus,
  parseCpuListAsKernel,
  parseCpuMaskAsKernel,
  writeCpus,
} from './cpus.ts';
import { type ControlGroup, controlOf, type Group } from './groups.ts';
import type { MountedKernel } from './kernel.ts';
import { parseInteger, parseUnsigned } from './numbers.ts';
import { COUNTERS } from './processes.ts';
import { writeSchemata } from './schemata.ts';

export interface FileNode {
  read(): string | Promise<string>;
  /** The error that write(2) gives, or null. Absent where the file may only be read. */
  readonly write?: (text: string) => Errno | null | Promise<Errno | null>;
}

export interface Directory {
  entries(): Entries;
  /** What mkdir(2) in it does; absent where it is not permitted. */
  readonly make?: (name: string) => Errno | null;
  /** What rmdir(2) of it does; absent where it is not permitted. */
  readonly remove?: () => Promise<Errno | null>;
}

export type Node = FileNode | Directory;
/** Made when they are asked for. */
export type Entries = Map<string, () => Node>;

export const isDirectory = (node: Node): node is Directory => 'entries' in node;

/** Follows `names` down from `root`. */
export function resolve(root: Directory, names: readonly string[]): Node | 'ENOENT' | 'ENOTDIR' {
  let node: Node = root;
  for (const name of names) {
    if (!isDirectory(node)) return 'ENOTDIR';
    const make = node.entries().get(name);
    if (make === undefined) return 'ENOENT';
    node = make();
  }
  return node;
}

export function rootDirectory(kernel: MountedKernel): Directory {
  const entries: Entries = new Map([
    ...controlEntries(kernel, kernel.root),
    ['info', () => infoDirectory(kernel)],
  ]);
  for (const group of kernel.groups().slice(1)) {
    entries.set(group.name, () => ({
      entries: () => controlEntries(kernel, group),
      remove: async () => {
        await kernel.tasks.settle();
        kernel.removeControlGroup(group);
        return null;
      },
    }));
  }
  return { entries: () => entries, make: (name) => kernel.makeControlGroup(name) };
}

function controlEntries(kernel: MountedKernel, group: ControlGroup): Entries {
  const { controls } = kernel;
  const schemata: FileNode = {
    read: () => controls.formatSchemata(group.closid),
    write: (text) => writeSchemata(kernel, group, text),
  };
  const entries: Entries = new Map([
    ...commonEntries(kernel, group),
    ['mode', () => ({ read: () => `${group.mode}\n`, write: (text) => writeMode(kernel, group, text) })],
    ['schemata', () => schemata],
    ['size', () => ({ read: () => controls.formatSizes(group.closid) })],
  ]);
  if (kernel.monitors) entries.set('mon_groups', () => monitorsDirectory(kernel, group));
  return entries;
}

function commonEntries(kernel: MountedKernel, group: Group): Entries {
  const { machine } = kernel.parts;
  const cpusFile = (show: () => string, parse: (text: string, possible: number) => ParsedCpus): FileNode => ({
    read: () => `${show()}\n`,
    write: (text) => writeCpus(kernel, group, parse(text, machine.possibleCpus)),
  });
  const list = () => formatCpuList([...group.cpus].sort((left, right) => left - right));
  const mask = () => formatCpuMask(group.cpus, machine.possibleCpus);
  const tasks: FileNode = {
    read: async () => {
      await kernel.tasks.settle();
      return kernel.tasks
        .list(group)
        .map((tid) => `${tid}\n`)
        .join('');
    },
    write: (text) => writeTasks(kernel, group, text),
  };
  const entries: Entries = new Map([
    ['cpus', () => cpusFile(mask, parseCpuMaskAsKernel)],
    ['cpus_list', () => cpusFile(list, parseCpuListAsKernel)],
    ['tasks', () => tasks],
  ]);
  if (kernel.monitors) entries.set('mon_data', () => countersDirectory(kernel, group));
  return entries;
}

function monitorsDirectory(kernel: MountedKernel, parent: ControlGroup): Directory {
  const entries: Entries = new Map();
  for (const group of parent.monitors.values()) {
    entries.set(group.name, () => ({
      entries: () => commonEntries(kernel, group),
      remove: async () => {
        await kernel.tasks.settle();
        kernel.removeMonitorGroup(group);
        return null;
      },
    }));
  }
  // A directory of the directory's own name would be taken for one that holds groups.
  const make = (name: string) => (name === 'mon_groups' ? 'EPERM' : kernel.makeMonitorGroup(parent, name));
  return { entries: () => entries, make };
}

function countersDirectory(kernel: MountedKernel, group: Group): Directory {
  const domains = kernel.parts.machine.domains.map(({ id }): [string, () => Directory] => {
    const files: Entries = new Map(
      COUNTERS.map((counter) => [counter, () => ({ read: () => kernel.readCounter(group, id, counter) })]),
    );
    return [`mon_L3_${String(id).padStart(2, '0')}`, () => ({ entries: () => files })];
  });
  return { entries: () => new Map(domains) };
}

function writeMode(kernel: MountedKernel, group: ControlGroup, text: string): Errno | null {
  if (!text.endsWith('\n')) return 'EINVAL';
  const { status } = kernel.parts;
  status.clear();
  const mode = text.slice(0, -1);
  if (mode === group.mode) return null;
  if (mode === 'shareable') group.mode = mode;
  else if (mode === 'exclusive') {
    if (!kernel.canBeExclusive(group)) return 'EINVAL';
    group.mode = mode;
  } else {
    status.add(whyNotMode(kernel, group, mode));
    return 'EINVAL';
  }
  return null;
}

/** Pseudo-locking works on few CPUs; this one isn't among them. */
function whyNotMode(kernel: MountedKernel, group: ControlGroup, mode: string): string {
  if (mode !== 'pseudo-locksetup') return 'Unknown or unsupported mode';
  if (group === kernel.root) return 'Cannot pseudo-lock default group';
  return kernel.parts.cdp ? 'CDP enabled' : 'Pseudo-locking not supported';
}

async function writeTasks(kernel: MountedKernel, group: Group, text: string): Promise<Errno | null> {
  const asked = parseInteger(text.trim());
  // Refused before anything is touched: the status keeps what it said before.
  if (asked === null || asked < 0) return 'EINVAL';
  await kernel.tasks.settle();
  const { status, processes } = kernel.parts;
  status.clear();
  const tid = asked === 0 ? processes.writer() : asked;
  const current = kernel.tasks.groupOf(tid);
  if (current === null) {
    status.add(`No task ${tid}`);
    return 'ESRCH';
  }
  if (group.kind === 'monitor' && controlOf(current) !== group.parent) {
    status.add("Can't move task to different control group");
    return 'EINVAL';
  }
  kernel.tasks.move(tid, group);
  return null;
}

/** What the hardware can do, and the status of the last command. */
function infoDirectory(kernel: MountedKernel): Directory {
  const entries: Entries = new Map([['last_cmd_status', () => ({ read: () => kernel.parts.status.read() })]]);
  for (const schema of kernel.controls.schemas) {
    const files = schema.kind === 'cache' ? cacheFiles(kernel, schema) : bandwidthFiles(kernel, schema);
    entries.set(schema.name, () => ({ entries: () => files }));
  }
  if (kernel.monitors) entries.set('L3_MON', () => ({ entries: () => monitoringFiles(kernel) }));
  return { entries: () => entries };
}

function cacheFiles(kernel: MountedKernel, schema: Schema): Entries {
  const { machine } = kernel.parts;
  const files: Entries = new Map([
    ['bit_usage', text(() => kernel.controls.formatBitUsage(schema, kernel.groups()))],
    ['cbm_mask', text(() => `${formatMask(fullMask(machine.ways))}\n`)],
    ['min_cbm_bits', text(() => `${machine.minCbmBits}\n`)],
    ['num_closids', text(() => `${schema.closids}\n`)],
    ['shareable_bits', text(() => `${formatMask(machine.shareableBits)}\n`)],
  ]);
  const sparse = text(() => `${Number(machine.sparseMasks)}\n`);
  return machine.tellsSparseMasks ? files.set('sparse_masks', sparse) : files;
}

function bandwidthFiles(kernel: MountedKernel, schema: Schema): Entries {
  const { mba } = kernel.parts.machine;
  return new Map([
    ['bandwidth_gran', text(() => `${mba?.granularity ?? 0}\n`)],
    ['delay_linear', text(() => '1\n')],
    ['min_bandwidth', text(() => `${mba?.minBandwidth ?? 0}\n`)],
    ['num_closids', text(() => `${schema.closids}\n`)],
  ]);
}

function monitoringFiles(kernel: MountedKernel): Entries {
  const threshold: FileNode = {
    read: () => `${kernel.parts.rmids.thresholdBytes}\n`,
    write: (written) => writeThreshold(kernel, written),
  };
  return new Map([
    ['max_threshold_occupancy', () => threshold],
    ['mon_features', text(() => COUNTERS.map((counter) => `${counter}\n`).join(''))],
    ['num_rmids', text(() => `${kernel.parts.machine.rmids}\n`)],
  ]);
}

/** Bytes, at most one cache; says nothing in the status, and clears nothing there. */
function writeThreshold(kernel: MountedKernel, written: string): Errno | null {
  const { machine, rmids } = kernel.parts;
  const bytes = parseUnsigned(written, 0);
  if (bytes === null || bytes > machine.ways * machine.wayBytes) return 'EINVAL';
  rmids.thresholdBytes = bytes;
  return null;
}

function text(read: () => string): () => FileNode {
  return () => ({ read });
}
