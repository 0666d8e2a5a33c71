/**
 * The group of everything that isn't ours. While we hold ways of a domain it keeps to the reserve; then it gets back
 * what it had. What it had is noted where it outlives a crash.
 */
import { readFile, rm } from 'node:fs/promises';
import { writeDurably } from '../../durable-file.ts';
import { type Span, spanMask, spansOf } from '../allocation/spans.ts';
import type { DomainState } from '../allocation/types.ts';
import { fullMask, intersect, without } from '../masks.ts';
import type { ResctrlFs } from '../resctrl/port.ts';
import type { ResctrlTopology } from '../resctrl/resctrl-topology.ts';
import { parseSchemata } from '../resctrl/schemata.ts';
import { type Masks, schemataOf } from './survey.ts';

/** Keeps a line of text over a crash. */
export interface RootNote {
  load(): Promise<string | null>;
  /** Durable when it resolves; null forgets. */
  save(text: string | null): Promise<void>;
}

interface RootGroupParts {
  readonly fs: ResctrlFs;
  readonly topology: ResctrlTopology;
  readonly note: RootNote;
}

export class RootGroup {
  readonly #parts: RootGroupParts;
  #original: Masks;
  #noted: boolean;
  #now: Masks;

  private constructor(parts: RootGroupParts, original: Masks, now: Masks, noted: boolean) {
    this.#parts = parts;
    this.#original = original;
    this.#now = now;
    this.#noted = noted;
  }

  /** @param isShrunk whether the masks that root has now may be the work of a node */
  static async open(parts: RootGroupParts, now: Masks, isShrunk: boolean): Promise<RootGroup> {
    const noted = parseNote(await parts.note.load());
    const full = fullMask(parts.topology.ways);
    const whole = new Map([...now.keys()].map((id) => [id, full]));
    // A note of another machine or mount doesn't fit.
    const fits = [...now.keys()].every((id) => intersect(noted.get(id) ?? 0, full) !== 0);
    const original = fits ? noted : isShrunk ? whole : now;
    return new RootGroup(parts, original, now, fits);
  }

  original(domain: number): number {
    return this.#original.get(domain) ?? fullMask(this.#parts.topology.ways);
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
  async grow(domains: readonly DomainState[]): Promise<void> {
    const idle = domains.filter((domain) => !isBusy(domain));
    const masks = idle.map(({ id, reserve, foreignMask }): [number, number] => {
      const open = without(this.original(id), foreignMask);
      return [id, spanMask(longest(open) ?? reserve)];
    });
    await this.#write(new Map(masks));
    if (idle.length === domains.length && this.#noted) {
      await this.#parts.note.save(null);
      this.#noted = false;
    }
  }

  async #write(masks: Masks): Promise<void> {
    const changed = new Map([...masks].filter(([id, mask]) => this.#now.get(id) !== mask));
    if (changed.size === 0) return;
    if (!this.#noted) {
      await this.#parts.note.save(formatNote(this.#original));
      this.#noted = true;
    }
    await this.#parts.fs.write('schemata', schemataOf(this.#parts.topology.caches, changed));
    this.#now = new Map([...this.#now, ...changed]);
  }
}

function isBusy({ partitions, pool }: DomainState): boolean {
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
      await writeDurably(path, text);
    },
  };
}

function longest(mask: number): Span | null {
  return spansOf(mask).toSorted((a, b) => b.count - a.count || b.start - a.start)[0] ?? null;
}

/** In the kernel's own notation of masks. */
const formatNote = (masks: Masks): string => schemataOf(['L3'], masks);

const parseNote = (text: string | null): Masks => parseSchemata(text ?? '')[0]?.values ?? new Map();
