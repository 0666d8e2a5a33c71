/** Which join tokens open this node's door: those of the tables, and before there are any that of its own file. */
import type { Known, TokenCredential } from '../../protocols/proof/index.ts';
import { joinCredential, joinKey } from '../../protocols/proof/token-keys.ts';
import type { TokenId } from '../../protocols/schema/token.ts';
import type { NodeId } from '../consensus/types.ts';
import type { Clock } from '../ports.ts';
import type { Tables } from '../state/tables.ts';
import { faultOf } from '../state/tokens.ts';

export interface DoorOptions {
  /** The text of the join token that this node was given, or has made; null: none. */
  readonly token: string | null;
}

export interface DoorDependencies {
  readonly tables: Pick<Tables, 'member' | 'tokens'>;
  /** Whether this node knows all that its cluster does; before that an unknown token may only be a new one. */
  readonly caughtUp: () => boolean;
  readonly clock: Clock;
}

export class Door {
  readonly #credential: TokenCredential | null;
  readonly #own: Known | null;
  readonly #deps: DoorDependencies;

  constructor({ token }: DoorOptions, dependencies: DoorDependencies) {
    this.#credential = token === null ? null : joinCredential(token);
    this.#own = token === null ? null : { key: joinKey(token), refusal: null };
    this.#deps = dependencies;
  }

  /**
   * By which this node joins, and is called in; null: it has no token, or its own tables say that it was revoked. Who
   * found that text could else call the node into a cluster of its own. One that has expired still does: it is what a
   * node that waits was started with, and may have waited long.
   */
  get credential(): TokenCredential | null {
    const own = this.#credential;
    const token = own === null ? undefined : this.#deps.tables.tokens.join(own.bearer.id);
    return token && token.revokedAtMs !== null ? null : own;
  }

  /** @param bearer who shows it */
  known(id: TokenId, bearer: NodeId): Known | null | 'not-ready' {
    const { tables, caughtUp, clock } = this.#deps;
    const token = tables.tokens.join(id);
    if (!token) {
      // A founder's own token, before it could be committed.
      if (tables.tokens.joinTokens().length === 0 && id === this.#credential?.bearer.id) return this.#own;
      return caughtUp() ? null : 'not-ready';
    }
    const fault = faultOf(token, clock.nowMs());
    // Who is a member already, and perhaps only never heard that it was let in, takes nobody's place.
    const isForgiven = fault !== 'REVOKED' && tables.member(bearer) !== undefined;
    return { key: token.key, refusal: isForgiven || fault === 'UNKNOWN_TOKEN' ? null : fault };
  }
}
