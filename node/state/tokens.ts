/** The table of tokens, and of members that were removed: who may come in, and who may not come back by itself. */
import type { Command } from '../../protocols/schema/command.ts';
import type { Member } from '../../protocols/schema/member.ts';
import type { ApiToken, JoinToken, TokenId } from '../../protocols/schema/token.ts';
import type { NodeId } from '../consensus/types.ts';
import type { TokenFault } from './types.ts';

/** Of tokens that don't hold any more the latest are kept, for whoever asks what became of one. */
const KEPT_DEAD = 1_000;
const KEPT_REMOVED = 10_000;

interface Removal {
  readonly atMs: number;
  /** How many join tokens there had been: clocks of two masters may differ, the order of the log doesn't. */
  readonly tokens: number;
}

export class TokenTable {
  readonly #join = new Map<TokenId, JoinToken>();
  readonly #api = new Map<TokenId, ApiToken>();
  /** The number of each join token, in the order in which they were made, from 1. */
  readonly #numbers = new Map<TokenId, number>();
  #made = 0;
  /** The first token of all, which the founder of the cluster has. */
  #founding: TokenId | null = null;
  /** The latest last. */
  readonly #removed = new Map<NodeId, Removal>();

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
  /** Whether no token was made beside the first. */
  get hasOnlyFounding(): boolean {
    return this.#made <= 1 && this.#api.size === 0;
  }
  /** Null: this id was never removed, or was let in again. */
  removedAt(id: NodeId): number | null {
    return this.#removed.get(id)?.atMs ?? null;
  }

  /** False when a token of that id is known. */
  putJoin({ token, replaces }: Extract<Command, { type: 'join-token-put' }>): boolean {
    if (this.#join.has(token.id)) return false;
    this.#join.set(token.id, token);
    this.#made += 1;
    this.#numbers.set(token.id, this.#made);
    this.#founding ??= token.id;
    if (replaces !== null) this.revoke(replaces, token.createdAtMs);
    forgetDead(this.#join, token.createdAtMs);
    for (const id of this.#numbers.keys()) if (!this.#join.has(id)) this.#numbers.delete(id);
    return true;
  }

  /** False when a token of that id is known. */
  putApi({ token, replaces }: Extract<Command, { type: 'api-token-put' }>): boolean {
    if (this.#api.has(token.id)) return false;
    this.#api.set(token.id, token);
    if (replaces !== null) this.revoke(replaces, token.createdAtMs);
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
   * was made after that. Who is a member takes nobody's place: all that counts is that its token wasn't revoked.
   */
  use(node: NodeId, isMember: boolean, id: TokenId, atMs: number): TokenFault | 'REMOVED' | null {
    const token = this.#join.get(id);
    if (!token) return 'UNKNOWN_TOKEN';
    const fault = faultOf(token, atMs);
    if (isMember) return fault === 'REVOKED' ? fault : null;
    if (fault !== null) return fault;
    const removal = this.#removed.get(node);
    if (removal !== undefined && (this.#numbers.get(id) ?? 0) <= removal.tokens) return 'REMOVED';
    this.#removed.delete(node);
    this.#join.set(id, { ...token, used: token.used + 1 });
    return null;
  }

  /**
   * A member is gone: neither it nor the token that let it in opens the door again. Who came in by none, as the founder
   * and members of older versions did, knows the founding token.
   */
  remove(member: Member, atMs: number): void {
    this.#removed.delete(member.id);
    // Of format 1, when nobody was barred: its later entries may let the same node in without a token.
    if (atMs === 0) return;
    this.#removed.set(member.id, { atMs, tokens: this.#made });
    for (const id of this.#removed.keys()) {
      if (this.#removed.size <= KEPT_REMOVED) break;
      this.#removed.delete(id);
    }
    const known = member.joinedBy ?? this.#founding;
    if (known !== null) this.revoke(known, atMs);
  }

  clear(): void {
    this.#join.clear();
    this.#api.clear();
    this.#numbers.clear();
    this.#made = 0;
    this.#founding = null;
    this.#removed.clear();
  }

  toJSON(): unknown {
    const join = [...this.#join.values()].map(({ key, ...token }) => [
      token,
      Buffer.from(key).toString('hex'),
    ]);
    return [
      join,
      [...this.#api.values()],
      [...this.#removed],
      [...this.#numbers],
      this.#made,
      this.#founding,
    ];
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
