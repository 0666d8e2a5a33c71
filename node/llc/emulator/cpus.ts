/** Writes to `cpus` and `cpus_list` in the emulator: a CPU is in one control group, and in one of its monitors at most. */

import type { Errno } from '../resctrl/port.ts';
import type { ControlGroup, Group, MonitorGroup } from './groups.ts';
import type { ParsedCpus } from './numbers.ts';
import type { LastCommandStatus } from './status.ts';

export interface CpuContext {
  readonly root: ControlGroup;
  readonly online: ReadonlySet<number>;
  readonly status: LastCommandStatus;
  readonly groups: () => Iterable<ControlGroup>;
}

/** Neither success nor refusal clears the status: what was said before stays in front. */
export function writeCpus(context: CpuContext, group: Group, parsed: ParsedCpus): Errno | null {
  if ('errno' in parsed) {
    context.status.add('Bad CPU list/mask');
    return parsed.errno;
  }
  if (!parsed.cpus.isSubsetOf(context.online)) {
    context.status.add('Can only assign online CPUs');
    return 'EINVAL';
  }
  return group.kind === 'control'
    ? writeControl(context, group, parsed.cpus)
    : writeMonitor(context, group, parsed.cpus);
}

function writeControl(context: CpuContext, group: ControlGroup, cpus: Set<number>): Errno | null {
  const dropped = group.cpus.difference(cpus);
  if (dropped.size > 0) {
    if (group === context.root) {
      context.status.add("Can't drop CPUs from default group");
      return 'EINVAL';
    }
    context.root.cpus = context.root.cpus.union(dropped);
  }
  const added = cpus.difference(group.cpus);
  for (const other of context.groups()) {
    if (other === group || other.cpus.isDisjointFrom(added)) continue;
    other.cpus = other.cpus.difference(added);
    for (const monitor of other.monitors.values()) monitor.cpus = monitor.cpus.intersection(other.cpus);
  }
  group.cpus = cpus;
  for (const monitor of group.monitors.values()) monitor.cpus = new Set();
  return null;
}

function writeMonitor(context: CpuContext, group: MonitorGroup, cpus: Set<number>): Errno | null {
  if (!cpus.isSubsetOf(group.parent.cpus)) {
    context.status.add('Can only add CPUs to mongroup that belong to parent');
    return 'EINVAL';
  }
  for (const sibling of group.parent.monitors.values()) {
    if (sibling !== group) sibling.cpus = sibling.cpus.difference(cpus.difference(group.cpus));
  }
  group.cpus = cpus;
  return null;
}
