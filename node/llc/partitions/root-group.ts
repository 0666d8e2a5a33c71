/**
 * The group of everything that isn't ours. While we hold ways of a domain it keeps to the reserve; then it gets back what it had.
 * What it had is noted where it outlives a crash.
 */
import { open, readFile, rename, rm } from 'node:fs/promises';
import { type Span, spanMask, spansOf } from '../allocation/spans.ts';
import type { DomainState } from '../allocation/types.ts';
import { fullMask, intersect, popCount, unite, without } from '../masks.ts';
import type { ResctrlFs } from '../resctrl/port.ts';
import type { ResctrlTopology } from '../resctrl/resctrl-topology.ts';
import { type Masks, type Survey, schemataOf } from './survey.ts';

/** Keeps one line of text over a crash. */
export interface RootNote {
  load(): Promise<string | null>;
  /** Durable when it resolves; null forgets. */
  save(text: string | null): Promise<void>;
}

export class RootGroup {
  readonly #fs: ResctrlFs;
  readonly #topology: ResctrlTopology;
  readonly #note: RootNote;
  #original: Masks;
  #noted: boolean;
  #now: Masks;

  private constructor(
    parts: { fs: ResctrlFs; topology: ResctrlTopology; note: RootNote },
    original: Masks,
    now: Masks,
    noted: boolean,
  ) {
    this.#fs = parts.fs;
    this.#topology = parts.topology;
    this.#note = parts.note;
    this.#original = original;
    this.#now = now;
    this.#noted = noted;
  }

  /** @param isShrunk whether the masks that root has now may be the work of a node */
  static async open(
    parts: { fs: ResctrlFs; topology: ResctrlTopology; note: RootNote },
    now: Masks,
    isShrunk: boolean,
  ): Promise<RootGroup> {
    const noted = parseNote(await parts.note.load());
    const full = fullMask(parts.topology.ways);
    const whole = new Map([...now.keys()].map((id) => [id, full]));
    // A note of another machine or mount doesn't fit.
    const fits = noted !== null && [...now.keys()].every((id) => intersect(noted.get(id) ?? 0, full) !== 0);
    const original = fits ? noted : isShrunk ? whole : now;
    return new RootGroup(parts, original, now, fits);
  }

  original(domain: number): number {
    return this.#original.get(domain) ?? fullMask(this.#topology.ways);
  }

  /** Takes over what was read. */
  seen(now: Masks): void {
    this.#now = now;
  }

  /** Nothing is lent: what root has now is what somebody wants it to have. */
  adopt(): void {
    if (!this.#noted) this.#original = this.#now;
  }

  /** Before ways are lent: keeps to the reserve where `domains` hold any. */
  async shrink(domains: readonly DomainState[]): Promise<void> {
    const busy = domains.filter(isBusy);
    await this.#write(new Map(busy.map(({ id, reserve }) => [id, spanMask(reserve)])));
  }

  /** After ways were given back. Ways that others hold are left to them. */
  async grow(
    domains: readonly Pick<DomainState, 'id' | 'partitions' | 'pool' | 'reserve'>[],
    foreign: Survey['foreignMasks'],
  ): Promise<void> {
    const idle = domains.filter((domain) => !isBusy(domain));
    const masks = idle.map(({ id, reserve }): [number, number] => {
      const open = without(this.original(id), foreign.get(id) ?? 0);
      return [id, spanMask(longest(open) ?? reserve)];
    });
    await this.#write(new Map(masks));
    if (idle.length === domains.length && this.#noted) {
      await this.#note.save(null);
      this.#noted = false;
    }
  }

  async #write(masks: Masks): Promise<void> {
    const changed = new Map([...masks].filter(([id, mask]) => this.#now.get(id) !== mask));
    if (changed.size === 0) return;
    if (!this.#noted) {
      await this.#note.save(formatNote(this.#original));
      this.#noted = true;
    }
    await this.#fs.write('schemata', schemataOf(this.#topology.caches, changed));
    this.#now = new Map([...this.#now, ...changed]);
  }
}

export function isBusy({ partitions, pool }: Pick<DomainState, 'partitions' | 'pool'>): boolean {
  return partitions.length > 0 || pool !== null;
}

/** @param path of a file in the data directory of the node */
export function fileNote(path: string): RootNote {
  return {
    async load() {
      try {
        return await readFile(path, 'utf8');
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
        throw error;
      }
    },
    async save(text) {
      if (text === null) return rm(path, { force: true });
      const handle = await open(`${path}.new`, 'w', 0o600);
      try {
        await handle.writeFile(`${text}\n`);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(`${path}.new`, path);
    },
  };
}

/** Forgets at the end of the process; for tests, and where no file can be kept. */
export function memoryNote(): RootNote {
  let kept: string | null = null;
  return {
    load: async () => kept,
    save: async (text) => {
      kept = text;
    },
  };
}

function longest(mask: number): Span | null {
  return spansOf(mask).toSorted((a, b) => b.count - a.count || b.start - a.start)[0] ?? null;
}

function formatNote(masks: Masks): string {
  return [...masks].map(([id, mask]) => `${id}=${mask.toString(16)}`).join(';');
}

function parseNote(text: string | null): Masks | null {
  const fields = (text ?? '').trim().split(';');
  const masks = new Map<number, number>();
  for (const field of fields) {
    const match = /^(\d+)=([0-9a-f]{1,8})$/.exec(field);
    if (match === null) return null;
    masks.set(Number(match[1]), Number.parseInt(match[2] ?? '', 16));
  }
  return popCount([...masks.values()].reduce(unite, 0)) > 0 ? masks : null;
}
