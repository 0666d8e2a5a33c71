/**
 * `cpus` and `cpus_list` in the emulator: how the kernel writes and reads sets of CPUs (lib/bitmap-str.c), and what a
 * write does: a CPU is in one control group, and in one of its monitors at most.
 */
import type { Errno } from '../resctrl/port.ts';
import type { ControlGroup, Group, MonitorGroup } from './groups.ts';
import type { MountedKernel } from './kernel.ts';

/** Neither success nor refusal clears the status: what was said before stays in front. */
export function writeCpus(kernel: MountedKernel, group: Group, parsed: ParsedCpus): Errno | null {
  if ('errno' in parsed) {
    kernel.parts.status.add('Bad CPU list/mask');
    return parsed.errno;
  }
  if (!parsed.cpus.isSubsetOf(kernel.online)) {
    kernel.parts.status.add('Can only assign online CPUs');
    return 'EINVAL';
  }
  return group.kind === 'control'
    ? writeControl(kernel, group, parsed.cpus)
    : writeMonitor(kernel, group, parsed.cpus);
}

function writeControl(kernel: MountedKernel, group: ControlGroup, cpus: Set<number>): Errno | null {
  const dropped = group.cpus.difference(cpus);
  if (dropped.size > 0) {
    if (group === kernel.root) {
      kernel.parts.status.add("Can't drop CPUs from default group");
      return 'EINVAL';
    }
    kernel.root.cpus = kernel.root.cpus.union(dropped);
  }
  const added = cpus.difference(group.cpus);
  for (const other of kernel.groups()) {
    if (other === group || other.cpus.isDisjointFrom(added)) continue;
    other.cpus = other.cpus.difference(added);
    for (const monitor of other.monitors.values()) monitor.cpus = monitor.cpus.intersection(other.cpus);
  }
  group.cpus = cpus;
  for (const monitor of group.monitors.values()) monitor.cpus = new Set();
  return null;
}

function writeMonitor(kernel: MountedKernel, group: MonitorGroup, cpus: Set<number>): Errno | null {
  if (!cpus.isSubsetOf(group.parent.cpus)) {
    kernel.parts.status.add('Can only add CPUs to mongroup that belong to parent');
    return 'EINVAL';
  }
  for (const sibling of group.parent.monitors.values()) {
    if (sibling !== group) sibling.cpus = sibling.cpus.difference(cpus.difference(group.cpus));
  }
  group.cpus = cpus;
  return null;
}

export type ParsedCpus = { readonly cpus: Set<number> } | { readonly errno: Errno };

/** `0-3,8`; empty is the empty set. The kernel's `all`, `N` and strides are left out: nobody writes them here. */
export function parseCpuListAsKernel(text: string, possible: number): ParsedCpus {
  const cpus = new Set<number>();
  for (const part of text.split(/[\s,]+/).filter((piece) => piece !== '')) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (match === null) return { errno: 'EINVAL' };
    const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])];
    if (last < first) return { errno: 'EINVAL' };
    if (last >= possible) return { errno: 'ERANGE' };
    for (let cpu = first; cpu <= last; cpu++) cpus.add(cpu);
  }
  return { cpus };
}

/** Hexadecimal groups of 32 bits, the highest first: `ff,00000000`. */
export function parseCpuMaskAsKernel(text: string, possible: number): ParsedCpus {
  const groups = text.trim().split(',');
  if (!groups.every((group) => /^[0-9a-f]{1,8}$/i.test(group))) return { errno: 'EINVAL' };
  const bits = BigInt(`0x${groups.map((group) => group.padStart(8, '0')).join('')}`);
  if (bits >> BigInt(possible) !== 0n) return { errno: 'EOVERFLOW' };
  const cpus = new Set<number>();
  for (let cpu = 0; cpu < possible; cpu++) if ((bits >> BigInt(cpu)) & 1n) cpus.add(cpu);
  return { cpus };
}

/** As wide as the number of possible CPUs needs. */
export function formatCpuMask(cpus: ReadonlySet<number>, possible: number): string {
  let bits = 0n;
  for (const cpu of cpus) bits |= 1n << BigInt(cpu);
  const groups: string[] = [];
  for (let low = 0; low < possible; low += 32) {
    const width = Math.ceil(Math.min(32, possible - low) / 4);
    groups.unshift(((bits >> BigInt(low)) & 0xffff_ffffn).toString(16).padStart(width, '0'));
  }
  return groups.join(',');
}
