/** The ground that a conformance test stands on: groups of its own, processes of its own, and everything put back. */
import { ResctrlError, type ResctrlFs, readIfThere } from '../../node/llc/resctrl/port.ts';
import { type ResctrlTopology, readResctrlTopology } from '../../node/llc/resctrl/resctrl-topology.ts';

export interface Subject extends AsyncDisposable {
  readonly fs: ResctrlFs;
  /** A process that waits, in the root group. */
  spawn(): Promise<SubjectProcess>;
  /** Waits a little, or does what makes RMIDs clean. */
  waitForRmids(): Promise<void>;
}

export interface SubjectProcess {
  readonly pid: number;
  /** The pid of a child that waits too. */
  fork(): Promise<number>;
  /** Ends it and its children, and returns when they are gone. */
  end(): Promise<void>;
}

export type OpenSubject = () => Promise<Subject>;

/** Groups that begin so are ours to remove, whoever left them. */
export const GROUP_PREFIX = 'fsched-conformance-';

/** An RMID is clean when its lines have left the cache; on a quiet machine that takes a while. */
const RMID_ATTEMPTS = 60;

export class Bench implements AsyncDisposable {
  readonly fs: ResctrlFs;
  readonly topology: ResctrlTopology;
  /** All ways. */
  readonly fullMask: number;
  /** Whether masks may have gaps. */
  readonly sparseMasks: boolean;
  /** Groups that can be monitored at once, with the root group; 0 without monitoring. */
  readonly rmids: number;
  readonly #subject: Subject;
  readonly #processes: SubjectProcess[] = [];
  readonly #rootSchemata: string;

  private constructor(
    subject: Subject,
    topology: ResctrlTopology,
    facts: { rootSchemata: string; fullMask: number; sparseMasks: boolean; rmids: number },
  ) {
    this.fs = subject.fs;
    this.topology = topology;
    this.fullMask = facts.fullMask;
    this.sparseMasks = facts.sparseMasks;
    this.rmids = facts.rmids;
    this.#subject = subject;
    this.#rootSchemata = facts.rootSchemata;
  }

  static async open(subject: Subject): Promise<Bench> {
    const { fs } = subject;
    await removeOurGroups(fs);
    const topology = await readResctrlTopology(fs, { domains: [] });
    if (!topology.ok) throw new Error(topology.error.message);
    const info = `info/${topology.value.caches[0]}`;
    const sparse = await readIfThere(fs, `${info}/sparse_masks`);
    return new Bench(subject, topology.value, {
      rootSchemata: await fs.read('schemata'),
      fullMask: Number.parseInt(await fs.read(`${info}/cbm_mask`), 16),
      // Kernels that don't tell allow gaps on AMD only, which alone has no minimum.
      sparseMasks: sparse === null ? (await fs.read(`${info}/min_cbm_bits`)) === '0\n' : sparse === '1\n',
      rmids: Number((await readIfThere(fs, 'info/L3_MON/num_rmids')) ?? 0),
    });
  }

  get cache(): string {
    return this.topology.caches[0];
  }

  get firstDomain(): number {
    return this.topology.domains[0]?.id ?? 0;
  }

  /** A new group of this name, once there is an RMID for it. Its path. */
  async group(name: string): Promise<string> {
    const path = GROUP_PREFIX + name;
    await this.mkdir(path);
    return path;
  }

  async mkdir(path: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const error = await refusal(this.fs.mkdir(path));
      if (error === null) return;
      if (error.code !== 'EBUSY' || attempt === RMID_ATTEMPTS) throw error;
      await this.#subject.waitForRmids();
    }
  }

  async spawn(): Promise<SubjectProcess> {
    const child = await this.#subject.spawn();
    this.#processes.push(child);
    return child;
  }

  /** Control groups beside the root group, ours and others'. */
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
    const names = await this.fs.list('');
    const groups: string[] = [];
    for (const name of names.filter((other) => !files.includes(other))) {
      // Newer kernels have more files in the root directory; only groups have files themselves.
      if ((await refusal(this.fs.list(name))) === null) groups.push(name);
    }
    return groups;
  }

  async tids(group: string): Promise<number[]> {
    const text = await this.fs.read(group === '' ? 'tasks' : `${group}/tasks`);
    return text.split('\n').filter(Boolean).map(Number);
  }

  /** The same mask in every domain of every cache. */
  fullLines(mask: number): string {
    return this.topology.caches
      .map((cache) => {
        const fields = this.topology.domains.map(({ id }) => `${id}=${mask.toString(16)}`);
        return `${cache}:${fields.join(';')}\n`;
      })
      .join('');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#processes) await child.end();
    await removeOurGroups(this.fs);
    if ((await this.fs.read('schemata')) !== this.#rootSchemata) {
      await this.fs.write('schemata', this.#rootSchemata);
    }
  }
}

export async function removeOurGroups(fs: ResctrlFs): Promise<void> {
  for (const name of await fs.list('')) {
    if (name.startsWith(GROUP_PREFIX)) await fs.rmdir(name);
  }
}

/** What it was refused with; null when it was done. */
export async function refusal(work: Promise<unknown>): Promise<ResctrlError | null> {
  try {
    await work;
    return null;
  } catch (error) {
    if (error instanceof ResctrlError) return error;
    throw error;
  }
}
