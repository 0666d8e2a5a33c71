/**
 * Whom a token makes known, by the tables as this node has them. Beside the tokens that people make, each node's own
 * lets in whoever may read it, at every node.
 */
import { timingSafeEqual } from 'node:crypto';
import { apiTokenHash, tokenId } from '../../protocols/proof/token-keys.ts';
import type { NodeId } from '../../protocols/schema/fields.ts';
import type { Member } from '../../protocols/schema/member.ts';
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import { pause } from '../pause.ts';
import type { Clock } from '../ports.ts';
import type { RestBackend } from '../rest/backend.ts';
import type { BearerFault, Principal } from '../rest/principal.ts';
import type { Tables } from '../state/tables.ts';
import { faultOf } from '../state/tokens.ts';

/** A token that was made through another node just now comes with one of the next heartbeats. */
const UNHEARD_MS = 500;
/** More than one address may keep waiting by the rate at which it may ask. */
const MOST_WAITING = 256;

export interface BearersOptions {
  readonly self: NodeId;
  readonly name: string;
  /** `apiTokenHash` of this node's own token: it holds also where the tables don't know it yet. */
  readonly apiToken: string;
}

export interface BearersDependencies {
  readonly tables: Tables;
  /** Whether this node's tables may lack what is committed. */
  readonly mayLag: () => boolean;
  readonly clock: Clock;
}

interface Shown {
  readonly id: string;
  /** Equal only for equal tokens, so it may be looked up: what its time tells of a digest is of no use. */
  readonly sha256: string;
}

export class Bearers {
  readonly #options: BearersOptions;
  readonly #deps: BearersDependencies;
  /** Derived from the members; more than one where an operator gave the same token to several nodes. */
  #owners: Map<string, readonly Member[]> | null = null;
  /** Those whose token isn't known yet: each looks again when one may have become known. */
  readonly #waiting = new Set<() => void>();

  constructor(options: BearersOptions, dependencies: BearersDependencies) {
    this.#options = options;
    this.#deps = dependencies;
    dependencies.tables.onApplied(({ type }) => {
      const isOfMember = type.startsWith('member-');
      if (isOfMember) this.#owners = null;
      if (isOfMember || type === 'api-token-put') for (const look of this.#waiting) look();
    });
  }

  bearer: RestBackend['bearer'] = async (token, mayWait) => {
    const shown = { id: tokenId(token), sha256: apiTokenHash(token) };
    const known = this.#lookUp(shown);
    if (known !== null) return known;
    if (!this.#deps.mayLag()) return fail('UNKNOWN_TOKEN');
    await mayWait();
    // Not "unknown": whoever is right would believe it.
    if (this.#waiting.size >= MOST_WAITING) return fail('UNDECIDED');
    return (await this.#awaitNews(shown)) ?? fail('UNKNOWN_TOKEN');
  };

  /** What a node may ask for without a token, for whom it trusts. Null: it is no member. */
  nodePrincipal(id: NodeId | null): Principal | null {
    const { self, name } = this.#options;
    const member = this.#deps.tables.member(id ?? self);
    const isSelf = id === null || id === self;
    const known = { tokenId: null, trusted: isSelf };
    if (member) return { ...known, scope: scopeOf(member), who: `node ${member.name}` };
    // A node that isn't in the tables yet (or any more) can be asked for what concerns itself only.
    return isSelf ? { ...known, scope: 'admin', who: `node ${name}` } : null;
  }

  #lookUp(shown: Shown): Outcome<Principal, BearerFault> | null {
    const { tables, clock } = this.#deps;
    const token = tables.tokens.api(shown.id);
    if (token?.sha256 === shown.sha256) {
      const fault = faultOf(token, clock.nowMs());
      if (fault === 'REVOKED' || fault === 'EXPIRED') return fail(fault);
      return succeed({ scope: token.scope, tokenId: token.id, who: token.name, trusted: false });
    }
    if (timingSafeEqual(Buffer.from(shown.sha256), Buffer.from(this.#options.apiToken))) {
      const own = this.nodePrincipal(null);
      if (own !== null) return succeed({ ...own, tokenId: shown.id });
    }
    const owners = this.#ownersOf(shown.sha256);
    const owner = owners.find(({ mayVote }) => mayVote) ?? owners[0];
    if (owner === undefined) return null;
    return succeed({
      scope: scopeOf(owner),
      tokenId: shown.id,
      who: `node ${owner.name}`,
      trusted: false,
    });
  }

  #ownersOf(sha256: string): readonly Member[] {
    this.#owners ??= Map.groupBy(this.#deps.tables.members(), ({ apiToken }) => apiToken ?? '');
    return this.#owners.get(sha256) ?? [];
  }

  async #awaitNews(shown: Shown): Promise<Outcome<Principal, BearerFault> | null> {
    const heard = new AbortController();
    const look = (): void => {
      if (this.#lookUp(shown) !== null) heard.abort();
    };
    this.#waiting.add(look);
    await pause(this.#deps.clock, UNHEARD_MS, heard.signal);
    this.#waiting.delete(look);
    return this.#lookUp(shown);
  }
}

/** A machine that only carries out runs has no business among members and tokens, should it fall into wrong hands. */
const scopeOf = ({ mayVote }: Member): Principal['scope'] => (mayVote ? 'admin' : 'submit');
