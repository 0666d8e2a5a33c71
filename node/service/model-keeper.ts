/**
 * Keeps this node at the version of the model that the cluster has agreed on: fetches its weights by their SHA-256,
 * hands them to the host, and says which version it holds. A node that can't have the version goes on with the one that
 * it has.
 */
import { buffer } from 'node:stream/consumers';
import type { ModelHost } from '../../predictor/model-host.ts';
import type { BlobShelf } from '../../protocols/blob/index.ts';
import { type ModelVersion, SHIPPED_VERSION } from '../../protocols/schema/model.ts';
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import { type BackOffRange, backOff } from '../back-off.ts';
import type { Cancel, Clock, Logger } from '../ports.ts';
import type { Tables } from '../state/tables.ts';
import type { BlobKeeper } from '../store/blob-keeper.ts';

/** After a failure. */
const RETRY: BackOffRange = { firstMs: 1_000, longestMs: 60_000 };

export interface ModelKeeperDependencies {
  readonly tables: Tables;
  readonly keeper: Pick<BlobKeeper, 'ensure'>;
  readonly shelf: Pick<BlobShelf, 'open'> & {
    /** False, and it is gone, when it is damaged. */
    verify(sha256: string): Promise<boolean>;
  };
  readonly host: ModelHost;
  /** It holds another version now. */
  readonly onChange: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class ModelKeeper {
  readonly #deps: ModelKeeperDependencies;
  #state: 'new' | 'idle' | 'working' | 'stopped' = 'new';
  #stops: Cancel[] = [];
  #retry: Cancel | null = null;
  #failures = 0;
  /** What was last told to be in the way: the same is not told again. */
  #told: string | null = null;

  constructor(dependencies: ModelKeeperDependencies) {
    this.#deps = dependencies;
  }

  start(): void {
    this.#state = 'idle';
    this.#stops = [
      this.#deps.tables.onApplied((command) => {
        // While the log is read at the start, versions come and go: only the last of them is looked at.
        if (command.type === 'model-put' || command.type === 'model-select') this.#soon();
      }),
    ];
    void this.follow();
  }

  stop(): void {
    this.#state = 'stopped';
    this.#retry?.();
    for (const stop of this.#stops.splice(0)) stop();
  }

  /** Why this node doesn't hold the version that it should; null: it does, or is about to. */
  get trouble(): string | null {
    return this.#told;
  }

  /** Goes on until the node holds what it should, or that has failed. */
  async follow(): Promise<void> {
    if (this.#state !== 'idle') return;
    this.#state = 'working';
    this.#retry?.();
    this.#retry = null;
    try {
      while (this.#state === 'working' && this.#wanted() !== this.#held()) {
        const version = this.#wanted();
        const outcome = await this.#take(version);
        if (this.#wanted() !== version) continue;
        if (!outcome.ok) return this.#failed(version, outcome.error);
        this.#failures = 0;
        this.#told = null;
        const { sha256 } = this.#deps.host.info();
        this.#deps.logger.info({ version, sha256 }, 'model version in use');
        this.#deps.onChange();
      }
      this.#told = null;
    } finally {
      if (this.#state === 'working') this.#state = 'idle';
    }
  }

  #wanted(): number {
    return this.#deps.tables.models.current;
  }

  /** A host that has no weights holds what it ships with. */
  #held(): number {
    return this.#deps.host.info().version ?? SHIPPED_VERSION;
  }

  async #take(version: number): Promise<Outcome<void, string>> {
    const { host, tables, logger } = this.#deps;
    try {
      if (version === SHIPPED_VERSION) return outcomeOf(succeed(host.loadShipped()), host, version);
      const model = tables.models.version(version);
      if (!model) return fail('it is no longer known');
      const weights = await this.#weights(model);
      if (!weights) return fail('no member gave its file');
      const loaded = outcomeOf(host.load(version, weights), host, version);
      if (!loaded.ok) await this.#deps.shelf.verify(model.sha256);
      return loaded;
    } catch (error) {
      logger.error({ err: error, version }, 'model could not be loaded');
      return fail(error instanceof Error ? error.message : String(error));
    }
  }

  async #weights({ sha256 }: ModelVersion): Promise<Uint8Array | null> {
    if (!(await this.#deps.keeper.ensure(sha256))) return null;
    const opened = await this.#deps.shelf.open(sha256);
    return opened && (await buffer(opened.content));
  }

  #failed(version: number, reason: string): void {
    const delayMs = backOff(RETRY, this.#failures);
    this.#failures += 1;
    const trouble = `version ${version} can't be used: ${reason}`;
    const fields = { version, reason, keeps: this.#held(), retryMs: delayMs };
    if (trouble === this.#told) this.#deps.logger.debug(fields, 'model version missing');
    else this.#deps.logger.warn(fields, 'model version missing');
    this.#told = trouble;
    if (this.#state !== 'stopped') this.#retry = this.#deps.clock.after(delayMs, () => void this.follow());
  }

  #soon(): void {
    this.#failures = 0;
    this.#deps.clock.after(0, () => void this.follow());
  }
}

/** A host that says it is done and uses another version would be asked for ever. */
function outcomeOf(
  outcome: Outcome<unknown, string>,
  host: ModelHost,
  version: number,
): Outcome<void, string> {
  if (!outcome.ok) return outcome;
  const held = host.info().version ?? SHIPPED_VERSION;
  return held === version ? succeed(undefined) : fail(`the model still uses version ${held}`);
}
