/**
 * Which blobs other members may push to this node. Only the master pushes: it stores a file at a majority before it
 * commits what refers to it. Until that is committed nothing shows that the file will ever be wanted, so what lies here
 * uncommitted is bounded, in bytes and in number; the keeper takes away what stayed so.
 */
import type { BlobFailure, PushGate } from '../../protocols/blob/index.ts';
import type { NodeId } from '../consensus/types.ts';
import type { Clock } from '../ports.ts';
import { type BlobKeeper, UNREFERENCED_MS } from './blob-keeper.ts';

/** As many of the largest files may lie here uncommitted. */
const UNCOMMITTED_LARGEST = 4;
const MAX_UNCOMMITTED = 4096;

export interface PushIntakeOptions {
  /** Of the largest blob that this node takes. */
  readonly maxBytes: number;
}

export interface PushIntakeDependencies {
  readonly keeper: Pick<BlobKeeper, 'named'>;
  /** Whether the node is the master, as far as this one knows or will know in a moment. */
  readonly isMaster: (id: NodeId) => Promise<boolean>;
  readonly clock: Clock;
}

interface Pushed {
  readonly size: number;
  readonly sinceMs: number;
  /** Still under way. */
  pushes: number;
}

export class PushIntake implements PushGate {
  readonly #maxBytes: number;
  readonly #deps: PushIntakeDependencies;
  /** Pushed, or being pushed, and not known to be committed. */
  readonly #uncommitted = new Map<string, Pushed>();

  constructor(options: PushIntakeOptions, dependencies: PushIntakeDependencies) {
    this.#maxBytes = options.maxBytes;
    this.#deps = dependencies;
  }

  async refuse(from: NodeId, sha256: string, size: number): Promise<BlobFailure | null> {
    if (!(await this.#deps.isMaster(from))) {
      return refused('only the master brings files, and this node knows another one');
    }
    if (size > this.#maxBytes) {
      return refused(
        `it has ${size} bytes, and this node takes at most ${this.#maxBytes} (--max-upload-bytes)`,
      );
    }
    const known = this.#uncommitted.get(sha256);
    if (known !== undefined) {
      known.pushes += 1;
      return null;
    }
    if (!this.#hasRoom(size)) this.#forget();
    if (!this.#hasRoom(size))
      return refused('too many files wait here to be committed; try again in a while');
    this.#uncommitted.set(sha256, { size, sinceMs: this.#deps.clock.monotonicMs(), pushes: 1 });
    return null;
  }

  settle(sha256: string, stored: boolean): void {
    const blob = this.#uncommitted.get(sha256);
    if (blob === undefined) return;
    blob.pushes -= 1;
    if (!stored && blob.pushes === 0) this.#uncommitted.delete(sha256);
  }

  #hasRoom(size: number): boolean {
    if (this.#uncommitted.size >= MAX_UNCOMMITTED) return false;
    const bytes = [...this.#uncommitted.values()].reduce((sum, blob) => sum + blob.size, size);
    return bytes <= UNCOMMITTED_LARGEST * this.#maxBytes;
  }

  /** What was committed, and what is so old that the keeper has taken it away or soon will. */
  #forget(): void {
    const named = this.#deps.keeper.named();
    const before = this.#deps.clock.monotonicMs() - UNREFERENCED_MS;
    for (const [sha256, { sinceMs, pushes }] of this.#uncommitted) {
      if (pushes === 0 && (named.has(sha256) || sinceMs < before)) this.#uncommitted.delete(sha256);
    }
  }
}

const refused = (message: string): BlobFailure => ({ code: 'REFUSED', message });
