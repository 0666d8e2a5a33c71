/** Makes, replaces and revokes tokens. Their texts are told once, to whoever asked, and kept nowhere. */
import { apiTokenHash, joinKey, tokenId } from '../../protocols/proof/token-keys.ts';
import type { Command } from '../../protocols/schema/command.ts';
import { type Answer, fail, succeed } from '../../protocols/schema/outcome.ts';
import type { ApiToken, JoinToken, TokenId, TokenState } from '../../protocols/schema/token.ts';
import { newToken } from '../new-token.ts';
import type { Clock, Random } from '../ports.ts';
import type { Tables } from '../state/tables.ts';
import { faultOf } from '../state/tokens.ts';
import type { TokenFault } from '../state/types.ts';
import { type Propose, unavailable } from './propose.ts';
import type { TokenRequest } from './requests.ts';

/** Of each kind: who needs more has a program that forgets to revoke them. */
const MAX_LIVE_TOKENS = 1_000;

/** A token as the cluster keeps it: without its text. */
export type KnownToken = Kept & { readonly state: TokenState };
export type MadeToken = KnownToken & {
  /** What its bearer shows. */
  readonly text: string;
};

type Kept =
  | { readonly kind: 'api'; readonly token: ApiToken }
  | { readonly kind: 'join'; readonly token: JoinToken };

const STATES: Readonly<Record<TokenFault, TokenState>> = {
  REVOKED: 'revoked',
  EXPIRED: 'expired',
  USED_UP: 'used_up',
  // What is listed is known.
  UNKNOWN_TOKEN: 'revoked',
};

export interface TokenServiceDependencies {
  readonly tables: Tables;
  readonly propose: Propose;
  readonly clock: Clock;
  readonly random: Random;
}

export class TokenService {
  readonly #deps: TokenServiceDependencies;

  constructor(dependencies: TokenServiceDependencies) {
    this.#deps = dependencies;
  }

  /** Newest first. */
  list(): readonly KnownToken[] {
    const { tokens } = this.#deps.tables;
    const api = tokens.apiTokens().map((token) => this.#know({ kind: 'api', token }));
    const join = tokens.joinTokens().map((token) => this.#know({ kind: 'join', token }));
    return [...api, ...join].sort((a, b) => b.token.createdAtMs - a.token.createdAtMs);
  }

  /** @param by who asks for it: a name for people */
  async create(request: TokenRequest, by: string): Promise<Answer<MadeToken>> {
    const live = this.list().filter(({ kind, state }) => kind === request.kind && state === 'active');
    if (live.length >= MAX_LIVE_TOKENS) {
      const message = `there are ${MAX_LIVE_TOKENS} such tokens, which is the most; revoke those that nobody needs (fsched token list)`;
      return fail({ code: 'CONFLICT', message });
    }
    return this.#put(request, by, null);
  }

  /** One with the same properties takes its place, from now on for as long; the old one ends in the same moment. */
  async rotate(id: TokenId, by: string): Promise<Answer<MadeToken>> {
    const known = this.#find(id);
    if (known === null) return unknown(id);
    const { name, createdAtMs, expiresAtMs, revokedAtMs } = known.token;
    if (revokedAtMs !== null) {
      const message = `the token ${id} was revoked: make a new one instead (fsched token create)`;
      return fail({ code: 'CONFLICT', message });
    }
    const common = { name, ttlMs: expiresAtMs === null ? null : expiresAtMs - createdAtMs };
    const request: TokenRequest =
      known.kind === 'api'
        ? { ...common, kind: 'api', scope: known.token.scope }
        : { ...common, kind: 'join', role: known.token.role, uses: known.token.uses };
    return this.#put(request, by, id);
  }

  async revoke(id: TokenId): Promise<Answer<KnownToken>> {
    if (this.#find(id) === null) return unknown(id);
    const outcome = await this.#deps.propose({ type: 'token-revoke', id, atMs: this.#deps.clock.nowMs() });
    if (!outcome.ok) return unavailable(outcome.error);
    const known = this.#find(id);
    return known === null ? unknown(id) : succeed(known);
  }

  async #put(request: TokenRequest, by: string, replaces: TokenId | null): Promise<Answer<MadeToken>> {
    const { random, clock, propose } = this.#deps;
    const text = newToken(request.kind, random);
    const now = clock.nowMs();
    const common = {
      id: tokenId(text),
      name: request.name,
      createdAtMs: now,
      createdBy: by,
      expiresAtMs: request.ttlMs === null ? null : now + request.ttlMs,
      revokedAtMs: null,
    };
    const made: Kept =
      request.kind === 'api'
        ? { kind: 'api', token: { ...common, sha256: apiTokenHash(text), scope: request.scope } }
        : {
            kind: 'join',
            token: { ...common, key: joinKey(text), role: request.role, uses: request.uses, used: 0 },
          };
    const command: Command =
      made.kind === 'api'
        ? { type: 'api-token-put', token: made.token, replaces }
        : { type: 'join-token-put', token: made.token, replaces };
    const outcome = await propose(command);
    if (!outcome.ok) return unavailable(outcome.error);
    if (!outcome.value.ok)
      return fail({ code: 'CONFLICT', message: 'such a token is there already; ask again' });
    return succeed({ ...this.#know(made), text });
  }

  #find(id: TokenId): KnownToken | null {
    const { tokens } = this.#deps.tables;
    const [api, join] = [tokens.api(id), tokens.join(id)];
    if (api) return this.#know({ kind: 'api', token: api });
    return join ? this.#know({ kind: 'join', token: join }) : null;
  }

  #know(kept: Kept): KnownToken {
    const fault = faultOf(kept.token, this.#deps.clock.nowMs());
    return { ...kept, state: fault === null ? 'active' : STATES[fault] };
  }
}

const unknown = (id: TokenId): Answer<never> =>
  fail({ code: 'NOT_FOUND', message: `there is no token ${id}; GET /tokens lists them` });
