/**
 * Whether cache partitions can be enforced here and, if not, why and what to do about it. Reads, changes nothing.
 * What is mounted decides; the CPU's flags only explain, for Haswell has the feature without the flag.
 */
import { access, constants, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DEFAULT_RESCTRL_ROOT } from './real.ts';

export interface DetectOptions {
  /** Where it should be mounted. @default /sys/fs/resctrl */
  readonly root?: string;
  /** Where procfs is mounted. @default /proc */
  readonly procRoot?: string;
  /** What stands before every mount point that procfs names, for tests. @default '' */
  readonly mountPrefix?: string;
}

/** `message` is a sentence for people: what is the case, and what to do. */
export type Detection =
  | {
      readonly kind: 'usable';
      /** May be another than the one asked for. */
      readonly root: string;
      readonly cdp: boolean;
      readonly message: string;
    }
  | {
      readonly kind:
        | 'not-mounted'
        | 'not-permitted'
        | 'no-free-closids'
        | 'disabled-at-boot'
        | 'no-l3-allocation'
        | 'kernel-lacks-resctrl'
        | 'cpu-lacks-cat';
      readonly message: string;
    };

interface Cpu {
  readonly flags: ReadonlySet<string>;
  readonly model: 'skylake-x' | 'haswell-x' | 'other';
}

interface Mount {
  readonly point: string;
  readonly options: readonly string[];
}

export async function detectResctrl(options: DetectOptions = {}): Promise<Detection> {
  const procRoot = options.procRoot ?? '/proc';
  const wanted = options.root ?? DEFAULT_RESCTRL_ROOT;
  const prefix = options.mountPrefix ?? '';
  const read = (name: string) => readFile(join(procRoot, name), 'utf8').catch(() => '');
  const [mounts, filesystems, cpuinfo, cmdline] = await Promise.all(
    ['mounts', 'filesystems', 'cpuinfo', 'cmdline'].map(read),
  );
  const cpu = parseCpu(cpuinfo ?? '');
  const parameters = parseBootParameters(cmdline ?? '');
  const found = parseMounts(mounts ?? '');
  const mount = found.find(({ point }) => point === wanted) ?? found[0];
  if (mount !== undefined) return judgeMount(mount, prefix, cpu, parameters);
  const known = /^(?:nodev)?\s+resctrl$/m.test(filesystems ?? '');
  return judgeUnmounted(wanted, known, cpu, parameters);
}

async function judgeMount(
  { point, options }: Mount,
  prefix: string,
  cpu: Cpu,
  parameters: ReadonlySet<string>,
): Promise<Detection> {
  const root = join(prefix, point);
  const resources = await readdir(join(root, 'info')).catch((): string[] => []);
  const cdp = resources.includes('L3DATA') && resources.includes('L3CODE');
  if (!cdp && !resources.includes('L3')) {
    if (cpu.flags.has('cat_l3') && isOffAtBoot(cpu, parameters)) return disabledAtBoot(cpu);
    const message =
      `resctrl is mounted on ${point}, but this CPU, or the hypervisor, lets it allocate no level-3 cache:` +
      ' cache is accounted for, not enforced';
    return { kind: 'no-l3-allocation', message };
  }
  const writable = await access(join(root, 'schemata'), constants.W_OK).then(
    () => !options.includes('ro'),
    () => false,
  );
  if (!writable) {
    const message =
      `resctrl is mounted on ${point}, but this user can't change it:` +
      ' run fsched as root, or remount it writable';
    return { kind: 'not-permitted', message };
  }
  const text = await readFile(join(root, `info/${cdp ? 'L3DATA' : 'L3'}/num_closids`), 'utf8').catch(
    () => '',
  );
  if (Number(text) < 2) {
    const mode = cdp ? ': mount it without cdp, which takes half of them' : '';
    const message = `resctrl on ${point} has no CLOSID beside that of the root group${mode}`;
    return { kind: 'no-free-closids', message };
  }
  const message = `resctrl on ${point} allocates level-3 cache${cdp ? ' (CDP)' : ''}`;
  return { kind: 'usable', root, cdp, message };
}

function judgeUnmounted(root: string, known: boolean, cpu: Cpu, parameters: ReadonlySet<string>): Detection {
  const allocates = cpu.flags.has('cat_l3') || cpu.model === 'haswell-x';
  if (!allocates) {
    const virtual = cpu.flags.has('hypervisor')
      ? ', or the hypervisor that this machine runs on hides it'
      : '';
    const message = `this CPU has no cache allocation (no flag cat_l3 in /proc/cpuinfo)${virtual}`;
    return { kind: 'cpu-lacks-cat', message };
  }
  if (isOffAtBoot(cpu, parameters)) return disabledAtBoot(cpu);
  if (known) {
    const message = `resctrl is not mounted: as root, run "mount -t resctrl resctrl ${root}"`;
    return { kind: 'not-mounted', message };
  }
  const message =
    'this CPU can allocate cache, but its kernel has no resctrl (/proc/filesystems does not list it):' +
    ' use a kernel built with CONFIG_X86_CPU_RESCTRL';
  return { kind: 'kernel-lacks-resctrl', message };
}

/** The kernel leaves L3 CAT off on model 85 for its errata, and wherever it is told to. */
function isOffAtBoot(cpu: Cpu, parameters: ReadonlySet<string>): boolean {
  return parameters.has('!l3cat') || (cpu.model === 'skylake-x' && !parameters.has('l3cat'));
}

function disabledAtBoot(cpu: Cpu): Detection {
  const why =
    cpu.model === 'skylake-x'
      ? 'the kernel leaves it off on Skylake-X and its kin'
      : 'the boot option says so';
  const message =
    `this CPU can allocate cache, but ${why}: boot with rdt=l3cat,` +
    ` then run "mount -t resctrl resctrl ${DEFAULT_RESCTRL_ROOT}"`;
  return { kind: 'disabled-at-boot', message };
}

/** Flags are whole words: `rdtscp` is no `rdt`. Models as in Linux, arch/x86/include/asm/intel-family.h. */
function parseCpu(cpuinfo: string): Cpu {
  const field = (name: string) => new RegExp(`^${name}\\s*:\\s*(.*)$`, 'm').exec(cpuinfo)?.[1]?.trim() ?? '';
  const intel = field('vendor_id') === 'GenuineIntel' && field('cpu family') === '6';
  const names: Record<string, Cpu['model']> = { '85': 'skylake-x', '63': 'haswell-x' };
  return {
    flags: new Set(field('flags').split(/\s+/)),
    model: intel ? (names[field('model')] ?? 'other') : 'other',
  };
}

/** The words of all `rdt=` on the kernel's command line. */
function parseBootParameters(cmdline: string): ReadonlySet<string> {
  const words = cmdline.split(/\s+/).filter((word) => word.startsWith('rdt='));
  return new Set(words.flatMap((word) => word.slice('rdt='.length).split(',')));
}

/** Lines of `/proc/mounts`: source, mount point with octal escapes, type, options. */
function parseMounts(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [, point, type, options] = line.split(' ');
    if (type !== 'resctrl' || point === undefined) return [];
    const plain = point.replace(/\\(\d{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    return [{ point: plain, options: (options ?? '').split(',') }];
  });
}
