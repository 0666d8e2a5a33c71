/** A machine on paper with a node's partition manager, and an eye on the kernel that the manager doesn't know of. */
import assert from 'node:assert/strict';
import { EmulatedResctrl, type EmulatorDependencies } from '../../../node/llc/emulator/emulator.ts';
import type { EmulatedMachine } from '../../../node/llc/emulator/machine.ts';
import { PartitionManager, type PartitionManagerOptions } from '../../../node/llc/partitions/manager.ts';
import type { RootNote } from '../../../node/llc/partitions/root-group.ts';
import type { Lease, PartitionRequest, Partitions, Standing } from '../../../node/llc/partitions/types.ts';
import type { ResctrlFs } from '../../../node/llc/resctrl/port.ts';
import { parseSchemata } from '../../../node/llc/resctrl/schemata.ts';
import type { Topology } from '../../../node/llc/types.ts';
import type { Logger } from '../../../node/ports.ts';
import { SimulatedProcesses } from '../../resctrl/paper-machine.ts';
import { FakeClock, settled } from '../../support/fake-clock.ts';

export interface RigOptions {
  readonly machine?: Partial<EmulatedMachine>;
  readonly cdp?: boolean;
  readonly limboMs?: number;
  readonly manager?: PartitionManagerOptions;
  readonly counters?: EmulatorDependencies['counters'];
}

const MACHINE: EmulatedMachine = {
  domains: [
    { id: 0, cpus: [0, 1] },
    { id: 8, cpus: [2, 3] },
  ],
  ways: 12,
  wayBytes: 1024 * 1024,
};

/** Forgets at the end of the process. */
function memoryNote(): RootNote {
  let kept: string | null = null;
  return {
    load: async () => kept,
    save: async (text) => {
      kept = text;
    },
  };
}

export class Rig implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly processes = new SimulatedProcesses();
  readonly fs: EmulatedResctrl;
  readonly note: RootNote = memoryNote();
  readonly log: { level: string; message: string; fields: object }[] = [];
  /** How often the manager told that something has changed. */
  changes = 0;
  /** Threads that were in an overlap for an instant. */
  readonly overlaps: string[] = [];
  readonly #options: RigOptions;
  readonly #managers: PartitionManager[] = [];
  readonly #topology: Topology;

  constructor(options: RigOptions = {}) {
    this.#options = options;
    const machine = { ...MACHINE, ...options.machine };
    this.fs = new EmulatedResctrl(
      { machine, cdp: options.cdp ?? false, limboMs: options.limboMs ?? 0 },
      {
        processes: this.processes,
        clock: this.clock,
        ...(options.counters ? { counters: options.counters } : {}),
      },
    );
    const domains = machine.domains.map(({ id, cpus }) => ({
      id,
      cpus,
      ways: machine.ways,
      wayBytes: machine.wayBytes,
    }));
    this.#topology = { domains, source: 'sysfs', cpuModel: 'paper' };
  }

  async node(
    nodeId = 'node-a',
    fs: ResctrlFs = watched(this),
    options: PartitionManagerOptions = this.#options.manager ?? {},
  ): Promise<PartitionManager> {
    const manager = new PartitionManager(options, {
      fs,
      clock: this.clock,
      logger: this.#logger(),
      nodeId,
      topology: this.#topology,
      onChange: () => {
        this.changes++;
      },
      note: nodeId === 'node-a' ? this.note : memoryNote(),
      threadsOf: async (pid) =>
        (await this.processes.threads()).filter((thread) => thread.pid === pid).map(({ tid }) => tid),
    });
    this.#managers.push(manager);
    await manager.start();
    return manager;
  }

  get topology(): Topology {
    return this.#topology;
  }

  /** Where groups go in a domain that they hold nothing of; one mask a node. */
  reserves(domain: number): number[] {
    return this.#managers.flatMap((manager) =>
      manager.view().domains.flatMap(({ id, masks }) => (id === domain ? [masks.reserve] : [])),
    );
  }

  /** Lets time pass until it is done. */
  async drive<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const end = work.finally(() => {
      done = true;
    });
    end.catch(() => {});
    for (let round = 0; !done; round++) {
      assert.ok(round < 10_000, 'it never ends');
      for (let turn = 0; turn < 5 && !done; turn++) await settled();
      if (!done) this.clock.advance(20);
    }
    return end;
  }

  /** Mask of a group in a domain, of the first cache resource. */
  async mask(group: string, domain = 0): Promise<number> {
    const lines = parseSchemata(await this.fs.read(group === '' ? 'schemata' : `${group}/schemata`));
    const masks = lines
      .filter(({ resource }) => resource.startsWith('L3'))
      .map(({ values }) => values.get(domain));
    assert.equal(new Set(masks).size, 1, `data and code of ${group} have the same ways`);
    return masks[0] ?? -1;
  }

  async groups(): Promise<string[]> {
    const files = [
      'cpus',
      'cpus_list',
      'info',
      'mode',
      'mon_data',
      'mon_groups',
      'schemata',
      'size',
      'tasks',
    ];
    return (await this.fs.list('')).filter((name) => !files.includes(name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const manager of this.#managers) await this.drive(manager.stop());
    assert.deepEqual(this.overlaps, [], 'no two groups with tasks overlapped');
    assert.deepEqual(this.clock.pending(), [], 'no timer is left');
  }

  #logger(): Logger {
    const at = (level: string) => (fields: object, message: string) => {
      this.log.push({ level, message, fields });
    };
    const logger: Logger = {
      error: at('error'),
      warn: at('warn'),
      info: at('info'),
      debug: at('debug'),
      child: () => logger,
    };
    return logger;
  }
}

/** The most that one more run can be lent in a domain, as it is told; 0 for one that isn't there. */
export const freeWaysOf = (partitions: Pick<Partitions, 'view'>, domain: number): number =>
  partitions.view().domains.find(({ id }) => id === domain)?.freeWays ?? 0;

/** The standing of a lease after the next look at what the kernel says. */
export async function lookAgain(manager: PartitionManager, lease: Lease): Promise<Standing> {
  await manager.maintain();
  return { enforcement: lease.enforcement, reason: lease.reason };
}

let runs = 0;

export async function take(
  rig: Rig,
  manager: PartitionManager,
  request: Partial<PartitionRequest> = {},
): Promise<Lease> {
  const full = { runId: `run${runs++}`, attempt: 1, domain: 0, ways: 2, sensitive: true, ...request };
  const answer = await rig.drive(manager.acquire(full));
  assert.ok(answer.ok, answer.ok ? '' : answer.error.message);
  return answer.value;
}

/** The kernel's answers, and after each change a look at all groups that have tasks. */
export function watched(rig: Rig): ResctrlFs {
  const { fs, overlaps } = rig;
  const look = async (after: string) => {
    const names = (await fs.list('')).filter((name) => name.startsWith('fsched-'));
    const busy: { name: string; masks: ReadonlyMap<number, number> }[] = [];
    for (const name of names) {
      if ((await fs.read(`${name}/tasks`)) === '') continue;
      busy.push({ name, masks: parseSchemata(await fs.read(`${name}/schemata`))[0]?.values ?? new Map() });
    }
    const root = parseSchemata(await fs.read('schemata'))[0]?.values ?? new Map<number, number>();
    for (const [index, { name, masks }] of busy.entries()) {
      for (const other of busy.slice(index + 1)) {
        for (const [domain, mask] of masks) {
          const theirs = other.masks.get(domain) ?? 0;
          // In domains where groups hold nothing they share the reserve, and root's ways;
          // root may have left the reserve for a longer run.
          if (mask === theirs && rig.reserves(domain).includes(mask)) continue;
          const shared = mask & theirs & ~(root.get(domain) ?? 0);
          if (shared !== 0)
            overlaps.push(`${name} and ${other.name} share ${shared.toString(16)} after ${after}`);
        }
      }
    }
  };
  return {
    read: (path) => fs.read(path),
    list: (path) => fs.list(path),
    locked: (work, refused) => fs.locked(work, refused),
    async write(path, text) {
      await fs.write(path, text);
      if (!path.endsWith('tasks')) await look(`write ${path} <- ${text}`);
    },
    mkdir: (path) => fs.mkdir(path),
    rmdir: (path) => fs.rmdir(path),
    [Symbol.asyncDispose]: async () => {},
  };
}

/** Threads in the group of a lease. */
export async function inGroupOf(rig: Rig, lease: Lease): Promise<number[]> {
  return (await rig.fs.read(`${lease.group}/tasks`)).split('\n').filter(Boolean).map(Number);
}
