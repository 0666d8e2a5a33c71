/** The table of tokens, and of members that were removed: who may come in, and who may not come back by itself. */
import type { Command } from '../../protocols/schema/command.ts';
import type { Member } from '../../protocols/schema/member.ts';
import type { ApiToken, JoinToken, TokenId } from '../../protocols/schema/token.ts';
import type { NodeId } from '../consensus/types.ts';
import type { TokenFault } from './types.ts';

/** Of tokens that don't hold any more the latest are kept, for whoever asks what became of one. */
const KEPT_DEAD = 1_000;
const KEPT_REMOVED = 10_000;

export class TokenTable {
  readonly #join = new Map<TokenId, JoinToken>();
  readonly #api = new Map<TokenId, ApiToken>();
  /** When a member was removed; the latest last. */
  readonly #removed = new Map<NodeId, number>();

  join(id: TokenId): JoinToken | undefined {
    return this.#join.get(id);
  }
  api(id: TokenId): ApiToken | undefined {
    return this.#api.get(id);
  }
  /** Oldest first. */
  joinTokens(): readonly JoinToken[] {
    return [...this.#join.values()];
  }
  /** Oldest first. */
  apiTokens(): readonly ApiToken[] {
    return [...this.#api.values()];
  }
  /** Null: this id was never removed, or was let in again. */
  removedAt(id: NodeId): number | null {
    return this.#removed.get(id) ?? null;
  }

  /** False when a token of that id is known. */
  putJoin({ token, replaces }: Extract<Command, { type: 'join-token-put' }>): boolean {
    if (this.#join.has(token.id)) return false;
    this.#join.set(token.id, token);
    if (replaces !== null) this.revoke(replaces, token.createdAtMs);
    forgetDead(this.#join, token.createdAtMs);
    return true;
  }

  putApi(token: ApiToken): boolean {
    if (this.#api.has(token.id)) return false;
    this.#api.set(token.id, token);
    forgetDead(this.#api, token.createdAtMs);
    return true;
  }

  /** False for an id that isn't known. */
  revoke(id: TokenId, atMs: number): boolean {
    const join = this.#join.get(id);
    if (join) this.#join.set(id, { ...join, revokedAtMs: join.revokedAtMs ?? atMs });
    const api = this.#api.get(id);
    if (api) this.#api.set(id, { ...api, revokedAtMs: api.revokedAtMs ?? atMs });
    return join !== undefined || api !== undefined;
  }

  /**
   * Counts a use of a join token, or says why it doesn't let this node in. A member that was removed needs a token that
   * was made after that.
   */
  use(member: NodeId, id: TokenId, atMs: number): TokenFault | 'REMOVED' | null {
    const token = this.#join.get(id);
    if (!token) return 'UNKNOWN_TOKEN';
    const fault = faultOf(token, atMs);
    if (fault !== null) return fault;
    const removedAtMs = this.#removed.get(member);
    if (removedAtMs !== undefined && token.createdAtMs <= removedAtMs) return 'REMOVED';
    this.#removed.delete(member);
    this.#join.set(id, { ...token, used: token.used + 1 });
    return null;
  }

  /** A member is gone: neither it nor the token that let it in opens the door again. */
  remove(member: Member, atMs: number): void {
    this.#removed.delete(member.id);
    this.#removed.set(member.id, atMs);
    for (const id of this.#removed.keys()) {
      if (this.#removed.size <= KEPT_REMOVED) break;
      this.#removed.delete(id);
    }
    if (member.joinedBy !== null) this.revoke(member.joinedBy, atMs);
  }

  clear(): void {
    this.#join.clear();
    this.#api.clear();
    this.#removed.clear();
  }

  toJSON(): unknown {
    const join = [...this.#join.values()].map(({ key, ...token }) => [
      token,
      Buffer.from(key).toString('hex'),
    ]);
    return [join, [...this.#api.values()], [...this.#removed]];
  }
}

/** Why a token doesn't hold at that time; null: it does. */
export function faultOf(token: JoinToken | ApiToken, atMs: number): TokenFault | null {
  if (token.revokedAtMs !== null) return 'REVOKED';
  if (token.expiresAtMs !== null && token.expiresAtMs <= atMs) return 'EXPIRED';
  if ('uses' in token && token.uses !== null && token.used >= token.uses) return 'USED_UP';
  return null;
}

function forgetDead(tokens: Map<TokenId, JoinToken | ApiToken>, atMs: number): void {
  if (tokens.size <= KEPT_DEAD) return;
  for (const [id, token] of tokens) {
    if (faultOf(token, atMs) === null) continue;
    tokens.delete(id);
    if (tokens.size <= KEPT_DEAD) return;
  }
}
