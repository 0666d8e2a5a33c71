/**
 * Membership of this node: founding, joining, being invited, staying known under its present address.
 *
 * The members table says who is a member; the gate of the mesh follows it. Before a new member has the log up to
 * its own row, the peers named by whoever let it in stand for the table.
 */
import { isDeepStrictEqual } from 'node:util';
import { isValid } from '../../protocols/schema/check.ts';
import { MAX_TOLD_ADDRESSES, PeerId } from '../../protocols/schema/fields.ts';
import type { KnownPeer, Member, NewMember } from '../../protocols/schema/member.ts';
import type { JoinRequest, JoinResponse, ShownProof } from '../../protocols/schema/messages.ts';
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import type { LogStore } from '../consensus/log-store.ts';
import type { Consensus, NodeId } from '../consensus/types.ts';
import type { Mesh } from '../mesh/types.ts';
import type { Cancel, Clock, Logger, Random } from '../ports.ts';
import type { Tables } from '../state/tables.ts';
import type { ApplyResult } from '../state/types.ts';
import { type ClusterIdentity, loadIdentity, saveIdentity } from './cluster-identity.ts';
import { Joining, type MembershipFailure } from './joining.ts';

const ANNOUNCE_PERIOD_MS = 1_000;
/** A node that was let in and still isn't in its own table asks again, perhaps of another member. */
const UNHEARD_MS = 3_000;
/** Who let this node in, or knew it before, has this long to commit it and to tell it before it asks by itself. */
const KNOWN_GRACE_MS = 3_000;

/**
 * A removed node stays this long: as master it hands over, and hears of leaving the configuration. Then it leaves all
 * in peace.
 */
const LEAVE_AFTER_MS = 5_000;

export const REMOVED =
  'this node was removed from its cluster; to let it join again stop it, remove its data directory, and make a token for it on a member with: fsched token create --join';

export interface MembershipOptions {
  readonly name: string;
  /** HOST:PORT or multiaddr. */
  readonly join: readonly string[];
  /** `apiTokenHash` of this node's own token. */
  readonly apiToken: string;
}

export interface MembershipDependencies {
  readonly mesh: Pick<Mesh, 'id' | 'addresses' | 'setCluster' | 'join' | 'call'>;
  readonly consensus: Pick<
    Consensus<ApplyResult>,
    'status' | 'onChange' | 'bootstrap' | 'reset' | 'introduce'
  >;
  readonly tables: Tables;
  /** Keeps the identity of the cluster. */
  readonly store: Pick<LogStore, 'get' | 'put'>;
  /** This node was removed from its cluster: what it runs is nobody's any more. It may be let in again later. */
  readonly onRemoved: () => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

type Refusal = Extract<JoinResponse, { readonly type: 'refused' }>;
const refuse = (code: string, message: string): Refusal => ({ type: 'refused', code, message });

export class Membership {
  readonly #options: MembershipOptions;
  readonly #deps: MembershipDependencies;
  #identity: ClusterIdentity | null = null;
  /** Whether `#identity` is what the store says. */
  #isLoaded = false;
  #removed = false;
  /** Nobody is dialled or let in any more. */
  #left = false;
  #leave: Cancel | null = null;
  #stops: Cancel[] = [];
  readonly #joining: Joining;
  #stopped = false;
  #announcing = false;
  /** What the mesh was last told. */
  #followed = '';

  constructor(options: MembershipOptions, dependencies: MembershipDependencies) {
    this.#options = options;
    this.#deps = dependencies;
    this.#joining = new Joining({
      ...dependencies,
      self: () => this.self(),
      targets: () => [...options.join, ...(this.#identity?.peers ?? []).flatMap((peer) => peer.addresses)],
      isNeeded: () => this.#needsJoining(),
      onAdmitted: async (clusterId, peers, by) => {
        if (this.#identity?.clusterId !== clusterId) await this.#adopt({ clusterId, peers, introducer: by });
        this.#deps.consensus.introduce([by]);
        // Should that member be lost before the log has come, another has to tell whom to believe.
        this.#joining.later(UNHEARD_MS);
      },
    });
    // Before the log is replayed: a removal in it must not be overlooked.
    this.#stops.push(
      dependencies.tables.onApplied((command, result) => {
        if (!result.ok || !command.type.startsWith('member-')) return;
        if (command.type === 'member-remove' && command.id === dependencies.mesh.id) this.#onRemoved();
        const put = command.type === 'member-put' || command.type === 'member-admit';
        if (put && command.member.id === dependencies.mesh.id) this.#onPut();
        this.#followTable();
      }),
    );
  }

  get clusterId(): string | null {
    return this.#identity?.clusterId ?? null;
  }

  /** True once this node has learned that it was removed from its cluster. */
  get isRemoved(): boolean {
    return this.#removed;
  }

  /**
   * Call when consensus runs and the mesh listens. Returns at once when members can't be reached: it goes on trying.
   */
  async start(): Promise<Outcome<void, MembershipFailure>> {
    this.#identity = await loadIdentity(this.#deps.store);
    this.#isLoaded = true;
    if (this.#removed || this.#identity?.removed) {
      this.#deps.onRemoved();
      return fail({ code: 'REMOVED', message: REMOVED });
    }
    if (this.#identity?.founder && this.#options.join.length > 0) {
      const left = await this.#leaveOwnCluster();
      if (!left.ok) return left;
    }
    if (!this.#identity && this.#options.join.length === 0) {
      await this.#adopt({ clusterId: this.#deps.random.id(), founder: true });
    }
    if (this.#identity?.founder && this.#deps.consensus.status().lastIndex === 0)
      await this.#deps.consensus.bootstrap();
    this.#followTable();
    this.#stops.push(
      this.#deps.clock.every(ANNOUNCE_PERIOD_MS, () => void this.#announce()),
      this.#deps.consensus.onChange(() => {
        this.#followTable();
        void this.#announce();
      }),
    );
    void this.#announce();
    if (!this.#needsJoining()) return succeed(undefined);
    if (!this.#identity) return this.#joining.once();
    // A member, whose cluster knows it by its peer id: no token is asked for unless the log says nothing of it.
    const { introducer } = this.#identity;
    if (introducer !== null) this.#deps.consensus.introduce([introducer]);
    this.#joining.later(KNOWN_GRACE_MS);
    return succeed(undefined);
  }

  stop(): void {
    this.#stopped = true;
    this.#joining.stop();
    this.#leave?.();
    for (const stop of this.#stops.splice(0)) stop();
  }

  /**
   * Answers a peer that has proved a join token, by `proof`, which the master checks again; null: the peer is a member
   * of a cluster that knows this node's token.
   */
  async handleJoin(from: NodeId, request: JoinRequest, proof: ShownProof | null): Promise<JoinResponse> {
    // Until it is known which cluster this is, an invitation into another would cost its log.
    if (!this.#isLoaded) return refuse('NO_CLUSTER', 'this node is starting; ask again in a moment');
    if (request.type === 'invite') return this.#handleInvitation(from, request.clusterId, request.members);
    if (request.member.id !== from || proof === null) {
      return refuse('NOT_YOURSELF', 'a node can only ask to be a member itself');
    }
    const identity = this.#identity;
    const { leader, configuration } = this.#deps.consensus.status();
    if (!identity || this.#removed) {
      return refuse('NO_CLUSTER', 'this node is in no cluster itself yet; ask another one');
    }
    if (configuration.voters.includes(from)) {
      return refuse(
        'IS_VOTER',
        `peer ${from} already votes in this cluster, so its old log is needed; to start it anew, remove it first with: fsched workers remove ${from}`,
      );
    }
    if (leader === null) return refuse('NO_MASTER', 'the cluster has no master right now');
    const { member } = request;
    const answer = await this.#deps.mesh.call(leader, { type: 'admit-joiner', member, proof });
    if (!answer.ok) return refuse('NO_MASTER', answer.error.message);
    if (answer.value.type === 'refused') return answer.value;
    if (answer.value.type !== 'ok') return refuse('NO_MASTER', 'the master is changing');
    const members = [...this.knownPeers().filter((peer) => peer.id !== from), peerOf(request.member)];
    return { type: 'admitted', clusterId: identity.clusterId, members };
  }

  /** This node as the members table should have it. */
  self(): NewMember {
    const { mesh } = this.#deps;
    const addresses = mesh.addresses().slice(0, MAX_TOLD_ADDRESSES);
    const { name, apiToken } = this.#options;
    return { id: mesh.id, name, addresses, apiToken };
  }

  /** Whom the gate of the mesh lets in. */
  knownPeers(): readonly KnownPeer[] {
    const members = this.#deps.tables.members();
    const before = this.#identity?.peers ?? [];
    const isMember = members.some((member) => member.id === this.#deps.mesh.id);
    const { voters, learners } = this.#deps.consensus.status().configuration;
    // A node that was removed is listened to until it has left the configuration, so that it hears of it.
    const leaving = new Set([...voters, ...learners]);
    const byId = new Map(
      before.filter(({ id }) => !isMember || leaving.has(id)).map((peer) => [peer.id, peer]),
    );
    for (const member of members) byId.set(member.id, peerOf(member));
    // One of them may lead: it has this node's address, and is let in although this node hasn't its row yet.
    for (const id of this.#deps.consensus.status().vouched) {
      if (!byId.has(id) && isValid(PeerId, id)) byId.set(id, { id, addresses: [] });
    }
    return [...byId.values()];
  }

  async #handleInvitation(
    from: NodeId,
    clusterId: string,
    members: readonly KnownPeer[],
  ): Promise<JoinResponse> {
    if (this.#removed) return refuse('REMOVED', REMOVED);
    if (this.#identity?.clusterId === clusterId) return { type: 'accepted', member: this.self() };
    if (this.#identity && !(this.#identity.founder && this.#deps.tables.isEmpty)) {
      return refuse(
        'NOT_EMPTY',
        'that node belongs to another cluster, or has tasks or tokens of its own; only a node that waits can be added',
      );
    }
    this.#deps.logger.info({ clusterId }, 'invited into another cluster');
    // The log goes first: a crash in between leaves a founder with an empty log, which founds its cluster again.
    await this.#deps.consensus.reset();
    await this.#adopt({ clusterId, peers: members, introducer: from });
    this.#deps.consensus.introduce([from]);
    this.#joining.later(KNOWN_GRACE_MS);
    return { type: 'accepted', member: this.self() };
  }

  /** A node that was started alone and has done nothing yet may follow a later `--join`. */
  async #leaveOwnCluster(): Promise<Outcome<void, MembershipFailure>> {
    if ((this.#identity?.peers ?? []).some((peer) => peer.id !== this.#deps.mesh.id))
      return succeed(undefined);
    // An empty log is what a crash in the middle of leaving leaves.
    if (this.#deps.consensus.status().lastIndex > 0) await this.#untilReady();
    if (!this.#deps.tables.isEmpty) {
      return fail({
        code: 'OTHER_CLUSTER',
        message:
          'this data directory holds a cluster of its own with tasks or tokens; start without --join, or with another --data-dir',
      });
    }
    await this.#deps.consensus.reset();
    this.#identity = null;
    return succeed(undefined);
  }

  #untilReady(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#deps.consensus.status().ready) {
        resolve();
        return;
      }
      const stop = this.#deps.consensus.onChange((status) => {
        if (!status.ready) return;
        stop();
        resolve();
      });
    });
  }

  async #adopt(named: Pick<ClusterIdentity, 'clusterId'> & Partial<ClusterIdentity>): Promise<void> {
    const identity = { founder: false, peers: [], removed: false, introducer: null, ...named };
    await saveIdentity(this.#deps.store, identity);
    this.#identity = identity;
    this.#followTable();
  }

  #needsJoining(): boolean {
    const member = this.#deps.tables.member(this.#deps.mesh.id);
    return !this.#stopped && !this.#removed && !member && !this.#identity?.founder;
  }

  #onPut(): void {
    this.#removed = this.#left = false;
    this.#leave?.();
    this.#leave = null;
  }

  #onRemoved(): void {
    this.#removed = true;
    // In a log that is replayed it may have been let in again since; `start` sees what came of it.
    if (!this.#isLoaded) return;
    this.#leave ??= this.#deps.clock.after(LEAVE_AFTER_MS, () => {
      if (!this.#removed || this.#stopped) return;
      this.#left = true;
      this.#followTable();
      this.#deps.logger.warn({}, 'left the cluster: nobody is dialled any more');
    });
    this.#deps.logger.error({}, REMOVED);
    this.#deps.onRemoved();
  }

  #followTable(): void {
    if (!this.#identity) return;
    const peers = this.knownPeers();
    const wanted = JSON.stringify([this.#identity.clusterId, peers, this.#removed, this.#left]);
    if (wanted === this.#followed) return;
    this.#followed = wanted;
    this.#deps.mesh.setCluster(this.#identity.clusterId, this.#left ? [] : peers);
    const identity = { ...this.#identity, peers, removed: this.#removed };
    this.#identity = identity;
    void saveIdentity(this.#deps.store, identity).catch((error: unknown) => {
      this.#deps.logger.warn({ reason: String(error) }, 'cluster file not written');
    });
  }

  /** Tells the master this node's name and address when the table has others. */
  async #announce(): Promise<void> {
    const { leader, configuration } = this.#deps.consensus.status();
    const known = this.#deps.tables.member(this.#deps.mesh.id);
    const isFirst = configuration.voters.includes(this.#deps.mesh.id);
    if (this.#announcing || this.#removed || leader === null || (!known && !isFirst)) return;
    const self = this.self();
    const { id, name, addresses, apiToken } = known ?? {};
    if (isDeepStrictEqual({ id, name, addresses, apiToken }, self)) return;
    this.#announcing = true;
    try {
      await this.#deps.mesh.call(leader, { type: 'admit', member: self });
    } finally {
      this.#announcing = false;
    }
  }
}

function peerOf(member: Pick<Member, 'id' | 'addresses'>): KnownPeer {
  return { id: member.id, addresses: member.addresses };
}
