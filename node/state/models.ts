/** The table of models: which weights every node should use, those before them, and candidates that came to nothing. */
import { type DroppedModel, type ModelVersion, SHIPPED_VERSION } from '../../protocols/schema/model.ts';

/** Versions that can still be gone back to; the files of older ones are no longer kept. */
export const KEPT_MODELS = 16;
const KEPT_DROPPED = 16;

export class ModelTable {
  #current = SHIPPED_VERSION;
  #last = SHIPPED_VERSION;
  /** Oldest first. */
  #versions: readonly ModelVersion[] = [];
  #dropped: readonly DroppedModel[] = [];

  /** The version that every node should use; 0: what the program ships with. */
  get current(): number {
    return this.#current;
  }
  /** Kept versions, oldest first. */
  get versions(): readonly ModelVersion[] {
    return this.#versions;
  }
  /** The latest candidates that were no better, oldest first. */
  get dropped(): readonly DroppedModel[] {
    return this.#dropped;
  }

  version(version: number): ModelVersion | undefined {
    return this.#versions.find((known) => known.version === version);
  }

  /** The latest training, whatever came of it. */
  lastTraining(): Pick<ModelVersion, 'learned' | 'trainedAtMs'> | null {
    const put = this.#versions.at(-1);
    const dropped = this.#dropped.at(-1);
    if (put === undefined || dropped === undefined) return put ?? dropped ?? null;
    return dropped.trainedAtMs > put.trainedAtMs ? dropped : put;
  }

  /** The number that it got; null when it wasn't trained from the current version: it was compared with another. */
  put(model: Omit<ModelVersion, 'version'>): number | null {
    if (model.base !== this.#current) return null;
    const version = this.#last + 1;
    this.#versions = [...this.#versions, { ...model, version }].slice(-KEPT_MODELS);
    this.#last = version;
    this.#current = version;
    return version;
  }

  drop(model: DroppedModel): void {
    this.#dropped = [...this.#dropped, model].slice(-KEPT_DROPPED);
  }

  /** False for a version that isn't known, or no longer. */
  select(version: number): boolean {
    if (version !== SHIPPED_VERSION && !this.version(version)) return false;
    this.#current = version;
    return true;
  }

  clear(): void {
    this.#current = this.#last = SHIPPED_VERSION;
    this.#versions = [];
    this.#dropped = [];
  }

  toJSON(): unknown {
    return [this.#current, this.#last, this.#versions, this.#dropped];
  }
}
