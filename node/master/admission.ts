/** Who may put which row into the members table, and what is told to whom that is refused. */
import { isDeepStrictEqual } from 'node:util';
import { purposeOf } from '../../protocols/join/index.ts';
import { isProof } from '../../protocols/proof/signature.ts';
import type { Command } from '../../protocols/schema/command.ts';
import { MAX_MEMBERS } from '../../protocols/schema/fields.ts';
import type { Member, NewMember } from '../../protocols/schema/member.ts';
import type { ControlRequest, ControlResponse, ShownProof } from '../../protocols/schema/messages.ts';
import { type Answer, type ApiFailure, fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import type { TokenId } from '../../protocols/schema/token.ts';
import { isDialable } from '../addresses.ts';
import type { NodeId } from '../consensus/types.ts';
import { Allowance } from '../mesh/allowance.ts';
import type { Mesh } from '../mesh/types.ts';
import type { Clock } from '../ports.ts';
import type { Tables } from '../state/tables.ts';
import { isTokenFault, TOKEN_ADVICE } from '../token-advice.ts';
import { type Propose, unavailable } from './propose.ts';

export interface AdmissionDependencies {
  readonly mesh: Pick<Mesh, 'id'>;
  readonly tables: Pick<Tables, 'member' | 'members' | 'tokens'>;
  readonly propose: Propose;
  readonly clock: Clock;
}

type Request = Extract<ControlRequest, { readonly type: 'admit' | 'admit-joiner' }>;
/** `api`: what a client of REST is told, where that is another than CONFLICT. */
type Admitted = Outcome<
  Member,
  { readonly code: string; readonly message: string; readonly api?: ApiFailure }
>;

const BAD_ADDRESS = {
  code: 'BAD_ADDRESS',
  message: 'an address of the mesh is a multiaddr of TCP such as /ip4/192.0.2.1/tcp/8300',
};
const NOT_YOURSELF = {
  code: 'NOT_YOURSELF',
  message: 'a member can change its own name and addresses only',
};
const FULL = {
  code: 'CONFLICT',
  message: `the cluster has ${MAX_MEMBERS} members, which is the most; remove one with fsched workers remove`,
};
const TOO_OFTEN = {
  code: 'TOO_OFTEN',
  message: 'a member changes its name and addresses once in half a minute; announce them again later',
};
/** Each change is kept in the log of every node for ever. */
const CHANGES = { burst: 4, perSecond: 1 / 30 };
const NOT_AGAIN =
  'this node was removed from the cluster; to let it join again make a token for it with: fsched token create --join';

export class Admission {
  readonly #deps: AdmissionDependencies;
  readonly #changes: Allowance;

  constructor(dependencies: AdmissionDependencies) {
    this.#deps = dependencies;
    this.#changes = new Allowance(CHANGES, dependencies);
  }

  /**
   * A member speaks for itself alone. For who isn't one yet speaks the proof that it showed: the word of the member who
   * answered it would let each member admit anybody.
   */
  async answer(from: NodeId, request: Request): Promise<ControlResponse> {
    const { member } = request;
    if (!member.addresses.every(isDialable)) return { type: 'refused', ...BAD_ADDRESS };
    const admitted =
      request.type === 'admit'
        ? await this.#announced(from, member)
        : await this.#joined(from, member, request.proof);
    if (admitted.ok) return { type: 'ok' };
    const { code, message } = admitted.error;
    return { type: 'refused', code, message };
  }

  /** Commits the node that was called in, and proved this join token. */
  async invited(tokenId: TokenId, member: NewMember): Promise<Answer<Member>> {
    if (!member.addresses.every(isDialable)) return fail({ code: 'CONFLICT', message: BAD_ADDRESS.message });
    const admitted = await this.#admit(tokenId, member);
    if (admitted.ok) return admitted;
    const { message, api = { code: 'CONFLICT', message } } = admitted.error;
    return fail(api);
  }

  /** The new address or name of a member; also the founder's row, when it has put in none yet. */
  async #announced(from: NodeId, member: NewMember): Promise<Admitted> {
    const { mesh, tables, clock } = this.#deps;
    const known = tables.member(from);
    // The founder of a cluster, its master, stands in no table before it has put itself there.
    if (member.id !== from || (!known && from !== mesh.id)) return fail(NOT_YOURSELF);
    const { mayVote, joinedBy, joinedAtMs } = known ?? {
      mayVote: true,
      joinedBy: null,
      joinedAtMs: clock.nowMs(),
    };
    const row = { ...member, mayVote, joinedBy, joinedAtMs };
    if (isDeepStrictEqual(known, row)) return succeed(row);
    if (!this.#changes.take(from)) return fail(TOO_OFTEN);
    return this.#commit(row, { type: 'member-put', member: row });
  }

  async #joined(from: NodeId, member: NewMember, proof: ShownProof): Promise<Admitted> {
    const { bearer } = proof;
    const token = bearer.type === 'token' ? this.#deps.tables.tokens.join(bearer.id) : undefined;
    const parties = { dialler: member.id, answerer: from, ...purposeOf({ type: 'join', member }) };
    if (token && isProof(token.key, parties, proof)) return this.#admit(token.id, member);
    const message = `node ${member.id} has not proved to ${from} that it holds a join token, and asks for this`;
    return fail({ code: 'NOT_PROVED', message });
  }

  /**
   * A use of the token. A member that never heard that it was let in is let in again as what it is: it announces what
   * is new of it. What it proved once any member can bring again, as often as it likes.
   */
  async #admit(tokenId: TokenId, member: NewMember): Promise<Admitted> {
    const { tables, clock } = this.#deps;
    const atMs = clock.nowMs();
    const token = tables.tokens.join(tokenId);
    const known = tables.member(member.id);
    if (known && token?.revokedAtMs === null) return succeed(known);
    const mayVote = token?.role !== 'worker';
    const row = { ...member, mayVote, joinedBy: tokenId, joinedAtMs: atMs };
    return this.#commit(row, { type: 'member-admit', member: row, tokenId, atMs });
  }

  async #commit(row: Member, command: Command): Promise<Admitted> {
    const { tables, propose } = this.#deps;
    if (!tables.member(row.id) && tables.members().length >= MAX_MEMBERS) return fail(FULL);
    const outcome = await propose(command);
    if (!outcome.ok) {
      const { error: api } = unavailable(outcome.error);
      return fail({ code: api.code, message: api.message, api });
    }
    if (outcome.value.ok) return succeed(tables.member(row.id) ?? row);
    const { code } = outcome.value;
    if (isTokenFault(code)) return fail({ code, message: TOKEN_ADVICE[code] });
    if (code === 'FULL') return fail(FULL);
    if (code === 'REMOVED') return fail({ code, message: NOT_AGAIN });
    return fail({ code: 'NOT_PROVED', message: `the cluster doesn't know that join token (${code})` });
  }
}
