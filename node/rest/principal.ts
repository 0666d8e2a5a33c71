/** Who asks, and how much they may. */
import { SCOPES, type Scope, type TokenId } from '../../protocols/schema/token.ts';

export interface Principal {
  readonly scope: Scope;
  /** Of the token that was shown; null: known without one, as a trusted user of the machine or as a member. */
  readonly tokenId: TokenId | null;
  /** For people: the name of the token, of the user or of the node. */
  readonly who: string;
  /**
   * This node itself answers for it: for a user of its machine whom it trusts, or who holds its own token. Other nodes
   * then know this node, and need see no token.
   */
  readonly trusted: boolean;
}

/**
 * Why a token is of no use. It is told to its bearer only, for an id is known only by the whole token. `UNDECIDED`: it
 * may have been made a moment ago, and too many wait already to be told.
 */
export type BearerFault = 'UNKNOWN_TOKEN' | 'REVOKED' | 'EXPIRED' | 'UNDECIDED';

/** What a route asks for; `anyone`: nothing, but a token that is shown must be right all the same. */
export type RouteScope = Scope | 'anyone';

export const includes = (scope: Scope, needed: Scope): boolean =>
  SCOPES.indexOf(scope) >= SCOPES.indexOf(needed);
