/**
 * Brings files to this node: on demand for a run, and by itself to every voter, so that what was acknowledged
 * on a majority soon lies on all of them, and a new voter catches up. Takes away what nothing refers to: files
 * of uploads that failed half-way, outputs of runs and weights of models that are no longer kept.
 */
import type { Configuration, NodeId } from '../consensus/types.ts';
import type { Mesh } from '../mesh/types.ts';
import type { Cancel, Clock, Logger } from '../ports.ts';
import type { Tables } from '../state/tables.ts';
import type { BlobStore } from './blob-store.ts';

const PERIOD_MS = 10_000;
const COLLECT_PERIOD_MS = 600_000;
/** A file is stored before the entry that refers to it is committed: it may be unreferenced for so long. */
export const UNREFERENCED_MS = 3_600_000;

export interface BlobKeeperOptions {
  /** Of a blob that the tables don't name yet, more is never fetched. */
  readonly maxBytes: number;
}

export interface BlobKeeperDependencies {
  readonly self: NodeId;
  readonly tables: Tables;
  readonly shelf: Pick<BlobStore, 'has' | 'list' | 'remove'>;
  /** Whether the tables have all that is committed: older ones would make a file look unreferenced. */
  readonly caughtUp: () => boolean;
  readonly mesh: Pick<Mesh, 'fetchBlob' | 'peers'>;
  readonly configuration: () => Configuration;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class BlobKeeper {
  readonly #maxBytes: number;
  readonly #deps: BlobKeeperDependencies;
  readonly #fetching = new Map<string, Promise<boolean>>();
  #stops: Cancel[] = [];
  #sweeping = false;

  constructor(options: BlobKeeperOptions, dependencies: BlobKeeperDependencies) {
    this.#maxBytes = options.maxBytes;
    this.#deps = dependencies;
  }

  start(): void {
    this.#stops = [
      this.#deps.clock.every(PERIOD_MS, () => this.#try(() => this.sweep())),
      this.#deps.clock.every(COLLECT_PERIOD_MS, () => this.#try(() => this.collect())),
      this.#deps.tables.onApplied((command) => {
        if (command.type === 'task-create' || command.type === 'model-put')
          this.#deps.clock.after(0, () => this.#try(() => this.sweep()));
      }),
    ];
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  /** True once the file is on this node's shelf. Asks the voters, then everyone connected. */
  ensure(sha256: string): Promise<boolean> {
    const underWay = this.#fetching.get(sha256);
    if (underWay) return underWay;
    const fetching = this.#fetch(sha256).finally(() => this.#fetching.delete(sha256));
    this.#fetching.set(sha256, fetching);
    return fetching;
  }

  /** The SHA-256 of every file that the tables refer to. */
  named(): Set<string> {
    return new Set([...this.#wanted()].map(({ sha256 }) => sha256));
  }

  async sweep(): Promise<void> {
    if (this.#sweeping || !this.#deps.configuration().voters.includes(this.#deps.self)) return;
    this.#sweeping = true;
    try {
      for (const { sha256 } of this.#wanted()) {
        if (this.#stops.length === 0) return;
        await this.ensure(sha256);
      }
    } finally {
      this.#sweeping = false;
    }
  }

  /** What fails, as on a disk that breaks, comes again with the next round. */
  #try(work: () => Promise<void>): void {
    work().catch((error: unknown) => {
      this.#deps.logger.error({ err: error }, 'stored files could not be looked after');
    });
  }

  /** Removes what nothing refers to any more. */
  async collect(): Promise<void> {
    if (!this.#deps.caughtUp()) return;
    const wanted = this.named();
    const before = this.#deps.clock.nowMs() - UNREFERENCED_MS;
    for (const { sha256, storedAtMs } of await this.#deps.shelf.list()) {
      if (wanted.has(sha256) || storedAtMs > before) continue;
      await this.#deps.shelf.remove(sha256);
      this.#deps.logger.info({ sha256 }, 'unreferenced blob removed');
    }
  }

  *#wanted(): Generator<{ readonly sha256: string; readonly size: number }> {
    yield* this.#deps.tables.tasks();
    yield* this.#deps.tables.models.versions;
    for (const { result } of this.#deps.tables.runs()) {
      for (const output of result ? [result.stdout, result.stderr] : []) {
        if (output.kind === 'blob') yield output;
      }
    }
  }

  async #fetch(sha256: string): Promise<boolean> {
    if (await this.#deps.shelf.has(sha256)) return true;
    const named = [...this.#wanted()].find((blob) => blob.sha256 === sha256);
    const maxBytes = named?.size ?? this.#maxBytes;
    const peers = this.#deps.mesh.peers().filter((peer) => peer.connected);
    const connected = new Set(peers.map(({ id }) => id));
    const { voters } = this.#deps.configuration();
    for (const source of new Set([...voters, ...connected])) {
      if (!connected.has(source)) continue;
      const outcome = await this.#deps.mesh.fetchBlob(source, sha256, maxBytes);
      if (outcome.ok) return true;
      this.#deps.logger.debug({ peer: source, sha256, reason: outcome.error.message }, 'blob fetch failed');
    }
    return false;
  }
}
