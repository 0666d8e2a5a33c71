/**
 * What the emulated kernel holds, outside of the process that emulates it: as on hardware, groups outlive the daemon
 * that made them, so that one which was killed finds what its earlier life left. They don't outlive the machine's
 * boot.
 */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { readBootId } from '../../procfs.ts';
import { type ControlGroup, type Group, pathOf } from './groups.ts';
import type { MountedKernel } from './kernel.ts';
import type { CompleteMachine } from './machine.ts';

export interface EmulatorMemory {
  load(): Promise<string | null>;
  save(text: string): Promise<void>;
}

interface SavedGroup {
  readonly name: string;
  readonly rmid: number;
  readonly cpus: readonly number[];
}

interface SavedKernel {
  readonly machine: CompleteMachine;
  readonly cdp: boolean;
  readonly groups: readonly (SavedGroup &
    Pick<ControlGroup, 'closid' | 'mode'> & { readonly monitors: readonly SavedGroup[] })[];
  readonly controls: readonly (readonly [string, number])[];
  /** Thread, process, path of its group. */
  readonly tasks: readonly (readonly [number, number, string])[];
}

/** Null: not mounted. */
export function freeze(kernel: MountedKernel | null): string {
  if (kernel === null) return 'null';
  const saved: SavedKernel = {
    machine: kernel.parts.machine,
    cdp: kernel.parts.cdp,
    groups: kernel.groups().map(({ closid, mode, monitors, ...group }) => {
      return { ...saveGroup(group), closid, mode, monitors: [...monitors.values()].map(saveGroup) };
    }),
    controls: kernel.controls.written(),
    tasks: kernel.tasks.outside().map(([tid, pid, group]) => [tid, pid, pathOf(group)]),
  };
  return JSON.stringify(saved);
}

const saveGroup = ({ name, rmid, cpus }: Pick<Group, 'name' | 'rmid' | 'cpus'>): SavedGroup => ({
  name,
  rmid,
  cpus: [...cpus],
});

/** Into a kernel that was just mounted. What is of another machine or mount stays away. */
export function thaw(kernel: MountedKernel, text: string): void {
  const saved = JSON.parse(text) as SavedKernel | null;
  if (saved === null || saved.cdp !== kernel.parts.cdp) return;
  if (JSON.stringify(saved.machine) !== JSON.stringify(kernel.parts.machine)) return;
  const groups = new Map<string, Group>();
  for (const { monitors, cpus, ...rest } of saved.groups) {
    const group = kernel.restoreGroup({ ...rest, cpus: new Set(cpus) });
    if (group === kernel.root) {
      group.cpus = new Set(cpus);
      group.mode = rest.mode;
    }
    for (const { name, rmid, cpus: own } of monitors) kernel.restoreMonitor(group, name, rmid, own);
    for (const each of [group, ...group.monitors.values()]) groups.set(pathOf(each), each);
  }
  kernel.controls.restore(saved.controls);
  for (const [tid, pid, path] of saved.tasks) {
    const group = groups.get(path);
    if (group !== undefined) kernel.tasks.restore(tid, pid, group);
  }
}

/** One file. Not synced: it has to outlive the process, not the machine. */
export function fileMemory(path: string): EmulatorMemory {
  return {
    async load() {
      const text = await readFile(path, 'utf8').catch(() => '');
      const newline = text.indexOf('\n');
      if (newline < 0 || text.slice(0, newline) !== readBootId()) return null;
      return text.slice(newline + 1);
    },
    async save(text) {
      if (text === 'null') return rm(path, { force: true });
      await writeFile(`${path}.new`, `${readBootId()}\n${text}`, { mode: 0o600 });
      await rename(`${path}.new`, path);
    },
  };
}
