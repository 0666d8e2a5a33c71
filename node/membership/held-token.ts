/**
 * Looks whether a join token that was revoked lies on this node's disk. The copy in the node's own data directory, which
 * this program wrote, is removed; of a file that the operator named the operator is told, by this node's troubles.
 */
import { rm } from 'node:fs/promises';
import { tokenId } from '../../protocols/proof/token-keys.ts';
import type { TokenId } from '../../protocols/schema/token.ts';
import type { Cancel, Clock, Logger } from '../ports.ts';
import type { Tables } from '../state/tables.ts';
import { loadToken } from './token.ts';

/** Files are put there and taken away by hand. */
const LOOK_MS = 10_000;

export interface HeldTokenOptions {
  /** In the data directory. */
  readonly ownFile: string;
  /** That the operator named; null: none. */
  readonly givenFile: string | null;
}

export interface HeldTokenDependencies {
  readonly tables: Pick<Tables, 'tokens' | 'onApplied'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class HeldToken {
  readonly #options: HeldTokenOptions;
  readonly #deps: HeldTokenDependencies;
  #trouble: string | null = null;
  #stops: Cancel[] = [];
  #due: Cancel | null = null;

  constructor(options: HeldTokenOptions, dependencies: HeldTokenDependencies) {
    this.#options = options;
    this.#deps = dependencies;
  }

  /** What to do about a revoked token that is still there; null: there is none. */
  get trouble(): string | null {
    return this.#trouble;
  }

  start(): void {
    const { clock, tables } = this.#deps;
    const ends = ['token-revoke', 'join-token-put', 'member-remove'];
    this.#stops = [
      clock.every(LOOK_MS, () => void this.look()),
      tables.onApplied(({ type }) => {
        if (ends.includes(type)) this.#lookSoon();
      }),
    ];
    this.#lookSoon();
  }

  stop(): void {
    this.#due?.();
    for (const stop of this.#stops.splice(0)) stop();
  }

  async look(): Promise<void> {
    const { ownFile, givenFile } = this.#options;
    const troubles: string[] = [];
    for (const file of new Set([ownFile, givenFile])) {
      const id = file === null ? null : await this.#revokedIn(file);
      if (file === null || id === null || (file === ownFile && (await this.#remove(file, id)))) continue;
      const where = file === ownFile ? 'join-token in its data directory' : 'the file of --token-file';
      troubles.push(`${where} holds join token ${id}, which was revoked: remove it, or put another there`);
    }
    this.#trouble = troubles[0] ?? null;
  }

  /** A log that is read at the start ends many tokens in a moment. */
  #lookSoon(): void {
    this.#due ??= this.#deps.clock.after(0, () => {
      this.#due = null;
      void this.look();
    });
  }

  async #revokedIn(file: string): Promise<TokenId | null> {
    const token = await loadToken(file, false);
    const id = token.ok ? tokenId(token.value) : null;
    const known = id === null ? undefined : this.#deps.tables.tokens.join(id);
    return known && known.revokedAtMs !== null ? id : null;
  }

  async #remove(file: string, token: TokenId): Promise<boolean> {
    const { logger } = this.#deps;
    try {
      await rm(file, { force: true });
      logger.info({ file, token }, 'revoked join token removed');
      return true;
    } catch (error) {
      logger.warn({ file, token, reason: String(error) }, 'revoked join token not removed');
      return false;
    }
  }
}
