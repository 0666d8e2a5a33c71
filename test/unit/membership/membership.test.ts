import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encode as encodeCbor } from 'cborg';
import type { ConsensusStatus } from '../../../node/consensus/types.ts';
import {
  type ClusterIdentity,
  loadIdentity,
  saveIdentity,
} from '../../../node/membership/cluster-identity.ts';
import { Membership, type MembershipDependencies } from '../../../node/membership/membership.ts';
import type { Mesh } from '../../../node/mesh/types.ts';
import type { Command } from '../../../protocols/schema/command.ts';
import type { KnownPeer } from '../../../protocols/schema/member.ts';
import type {
  ControlRequest,
  JoinRequest,
  JoinResponse,
  ShownProof,
} from '../../../protocols/schema/messages.ts';
import { fail, succeed } from '../../../protocols/schema/outcome.ts';
import { apiTokenOf, joinTokenOf, memberOf, newMemberOf, peerId } from '../../builders/nouns.ts';
import { FakeClock, settled } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { tablesWithTask } from '../state/fixtures.ts';

const [SELF, OTHER_ID, THIRD, FRIEND, NEW, LEAD, SOMEBODY] = [
  'self',
  'other',
  'third',
  'friend',
  'new',
  'lead',
  'somebody',
].map(peerId) as [string, string, string, string, string, string, string];
const ADDRESS = '/ip4/10.0.0.1/tcp/8300';
const OTHER: KnownPeer = { id: OTHER_ID, addresses: ['/ip4/10.0.0.2/tcp/8300'] };
const INVITATION: JoinRequest = { type: 'invite', clusterId: 'theirs', members: [OTHER] };
const bytesOf = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const PROOF: ShownProof = {
  bearer: { type: 'token', id: '0123456789abcdef' },
  dialler: bytesOf(1),
  answerer: bytesOf(2),
  signature: new Uint8Array(64),
};
const API_TOKEN = '5'.repeat(64);
const own = { apiToken: API_TOKEN };
const member: typeof memberOf = (id, changes) => memberOf(id, { ...(id === SELF && own), ...changes });

interface World {
  identity: ClusterIdentity | null;
  status: Partial<ConsensusStatus>;
  readonly joins: { readonly target: string; readonly request: JoinRequest }[];
  readonly calls: { readonly to: string; readonly request: ControlRequest }[];
  gate: { readonly clusterId: string | null; readonly members: readonly KnownPeer[] } | null;
  bootstraps: number;
  resets: number;
  /** Tells that the consensus status changed. */
  change: () => void;
  removals: number;
  introducers: readonly string[];
  joinAnswer: Awaited<ReturnType<Mesh['join']>>;
}

function setUp(options: { readonly join?: readonly string[]; readonly world?: Partial<World> } = {}) {
  const { tables, apply } = tablesWithTask();
  tables.reset();
  const clock = new FakeClock();
  const world: World = {
    identity: null,
    status: {},
    joins: [],
    calls: [],
    gate: null,
    bootstraps: 0,
    resets: 0,
    change: () => {},
    removals: 0,
    introducers: [],
    joinAnswer: fail({ code: 'UNREACHABLE', message: 'nobody there' }),
    ...options.world,
  };
  const status = (): ConsensusStatus => ({
    id: SELF,
    role: 'follower',
    term: 1,
    leader: null,
    ready: false,
    commitIndex: 0,
    appliedIndex: 0,
    lastIndex: 0,
    configuration: { voters: [], learners: [] },
    vouched: [],
    progress: new Map(),
    ...world.status,
  });
  const membership = new Membership(
    { name: SELF, join: options.join ?? [], apiToken: API_TOKEN },
    {
      mesh: {
        id: SELF,
        addresses: () => [ADDRESS],
        setCluster: (clusterId, members) => {
          world.gate = { clusterId, members };
        },
        join: async (target, request) => {
          world.joins.push({ target, request });
          return world.joinAnswer;
        },
        call: async (to, request) => {
          world.calls.push({ to, request });
          return succeed({ type: 'ok' });
        },
      },
      consensus: {
        status,
        onChange: (listener) => {
          world.change = () => listener(status());
          return () => {};
        },
        bootstrap: async () => {
          world.bootstraps += 1;
        },
        introduce: (by) => {
          world.introducers = by;
        },
        reset: async () => {
          world.resets += 1;
          tables.reset();
        },
      },
      tables,
      store: storeOf(world),
      onRemoved: () => {
        world.removals += 1;
      },
      clock,
      random: { next: () => 0.5, id: () => 'new-cluster' },
      logger: silentLogger,
    },
  );
  return { membership, world, tables, apply: (command: Command) => apply(command), clock };
}

/** Keeps what is stored in the world, by way of the bytes. */
function storeOf(world: World): MembershipDependencies['store'] {
  return {
    get: async () => {
      let bytes: Uint8Array | null = null;
      const put = async (_name: string, value: Uint8Array | null) => {
        bytes = value;
      };
      if (world.identity) await saveIdentity({ get: async () => null, put }, world.identity);
      return bytes;
    },
    put: async (_name, bytes) => {
      world.identity = await loadIdentity({ get: async () => bytes, put: async () => {} });
    },
  };
}

const admitted = (clusterId: string): World['joinAnswer'] =>
  succeed({
    peer: OTHER_ID,
    response: { type: 'admitted', clusterId, members: [OTHER] },
    tokenId: null,
  });

describe('at the start', () => {
  test('without --join a node founds a cluster; started again it does not', async () => {
    const { membership, world } = setUp();
    assert.ok((await membership.start()).ok);
    assert.deepEqual(world.identity, {
      clusterId: 'new-cluster',
      founder: true,
      peers: [],
      removed: false,
      introducer: null,
    });
    assert.equal(world.bootstraps, 1);
    const again = setUp({ world: { identity: world.identity, status: { lastIndex: 3 } } });
    await again.membership.start();
    assert.equal(again.world.bootstraps, 0);
    assert.equal(again.membership.clusterId, 'new-cluster');
  });

  test('with --join it never founds one, and adopts the cluster that admits it', async () => {
    const { membership, world } = setUp({ join: ['host:8300'], world: { joinAnswer: admitted('theirs') } });
    assert.ok((await membership.start()).ok);
    assert.equal(world.bootstraps, 0);
    assert.equal(world.identity?.clusterId, 'theirs');
    assert.deepEqual(world.introducers, [OTHER_ID]);
    assert.deepEqual(world.gate, { clusterId: 'theirs', members: [OTHER] });
  });

  test('let in, but without a log for a while, it asks again, and believes who answers then', async () => {
    const { membership, world, clock, apply } = setUp({
      join: ['host:8300'],
      world: { joinAnswer: admitted('theirs') },
    });
    await membership.start();
    world.joinAnswer = succeed({
      peer: THIRD,
      response: { type: 'admitted', clusterId: 'theirs', members: [OTHER] },
      tokenId: null,
    });
    clock.advance(3_000);
    await settled();
    assert.deepEqual([world.joins.length, world.introducers], [2, [THIRD]]);
    apply({ type: 'member-put', member: member(SELF) });
    clock.advance(30_000);
    await settled();
    assert.equal(world.joins.length, 2);
  });

  test('while nobody answers it tries again for ever, ever more rarely', async () => {
    const { membership, world, clock } = setUp({ join: ['host:8300'] });
    assert.ok((await membership.start()).ok, 'an absent cluster is no failure');
    for (let i = 0; i < 60; i += 1) {
      clock.advance(1_000);
      await settled();
    }
    assert.ok(world.joins.length > 10 && world.joins.length < 30, `${world.joins.length} tries in a minute`);
    world.joinAnswer = admitted('theirs');
    clock.advance(6_000);
    await settled();
    assert.equal(membership.clusterId, 'theirs');
  });

  for (const code of ['WRONG_TOKEN', 'EXPIRED', 'REVOKED', 'USED_UP'] as const) {
    test(`a token that is ${code} ends it with a sentence`, async () => {
      const joinAnswer = fail({ code, message: 'make another token' } as const);
      const { membership } = setUp({ join: ['host:8300'], world: { joinAnswer } });
      assert.deepEqual(await membership.start(), fail({ code: 'TOKEN', message: 'make another token' }));
    });
  }

  test('so does what the log says of the token, or of a node that was removed', async () => {
    for (const code of ['EXPIRED', 'REMOVED']) {
      const response = { type: 'refused', code, message: 'no' } as const;
      const joinAnswer = succeed({ peer: OTHER_ID, response, tokenId: null });
      const { membership } = setUp({ join: ['host:8300'], world: { joinAnswer } });
      assert.deepEqual(await membership.start(), fail({ code: 'TOKEN', message: 'no' }));
    }
  });

  test('a member that knows no better calls a token wrong: the others are asked before it ends', async () => {
    const { membership, world } = setUp({ join: ['behind:8300', 'host:8300'] });
    const answers = [fail({ code: 'WRONG_TOKEN', message: 'no' } as const), admitted('theirs')];
    Object.defineProperty(world, 'joinAnswer', { get: () => answers.shift() });
    assert.ok((await membership.start()).ok);
    assert.equal(world.identity?.clusterId, 'theirs');
  });

  test('let in, and started again before the log had come, it believes who let it in, without a token', async () => {
    const joinAnswer = admitted('theirs');
    const first = setUp({ join: ['host:8300'], world: { joinAnswer } });
    await first.membership.start();
    assert.equal(first.world.identity?.introducer, OTHER_ID);
    const again = setUp({ world: { identity: first.world.identity } });
    assert.ok((await again.membership.start()).ok);
    assert.deepEqual(again.world.introducers, [OTHER_ID]);
  });

  test('an identity of format 1 is read: it names nobody who let the node in', async () => {
    const old = { format: 1, clusterId: 'theirs', founder: false, peers: [OTHER], removed: false };
    const identity = await loadIdentity({ get: async () => encodeCbor(old), put: async () => {} });
    assert.deepEqual(identity, {
      clusterId: 'theirs',
      founder: false,
      peers: [OTHER],
      removed: false,
      introducer: null,
    });
  });

  test('a member starts again whatever its token is worth by now: it is known by its peer id', async () => {
    const identity = {
      clusterId: 'theirs',
      founder: false,
      peers: [OTHER],
      removed: false,
      introducer: null,
    };
    const joinAnswer = fail({ code: 'REVOKED', message: 'no' } as const);
    const { membership, world, apply, clock } = setUp({
      join: ['host:8300'],
      world: { identity, joinAnswer },
    });
    assert.ok((await membership.start()).ok);
    apply({ type: 'member-put', member: member(SELF) });
    clock.advance(60_000);
    await settled();
    assert.deepEqual(world.joins, []);
  });

  test('a founder without tasks follows a later --join; one with tasks refuses to', async () => {
    const identity = {
      clusterId: 'mine',
      founder: true,
      peers: [{ id: SELF, addresses: [] }],
      removed: false,
      introducer: null,
    };
    const status = { lastIndex: 2, ready: true };
    const world = { identity, status, joinAnswer: admitted('theirs') };
    const empty = setUp({ join: ['host:8300'], world });
    assert.ok((await empty.membership.start()).ok);
    assert.deepEqual([empty.world.resets, empty.world.identity?.clusterId], [1, 'theirs']);
    const full = setUp({ join: ['host:8300'], world });
    full.apply({
      type: 'task-create',
      task: {
        id: 't',
        name: 't',
        fileName: 't',
        sha256: '0'.repeat(64),
        size: 0,
        command: null,
        secrets: [],
        createdAtMs: 1,
      },
    });
    const halfLeft = setUp({ join: ['host:8300'], world: { ...world, status: {} } });
    await halfLeft.membership.start();
    assert.deepEqual([halfLeft.world.bootstraps, halfLeft.world.identity?.clusterId], [0, 'theirs']);
    const refused = await full.membership.start();
    assert.ok(!refused.ok && refused.error.code === 'OTHER_CLUSTER');
    assert.equal(full.world.resets, 0);
  });
});

describe('others ask', () => {
  const inCluster = {
    identity: { clusterId: 'mine', founder: true, peers: [], removed: false, introducer: null },
    status: { lastIndex: 2, leader: LEAD },
  };
  const joinRequest = (id: string): JoinRequest => ({
    type: 'join',
    member: newMemberOf(id),
  });

  test('a join is brought to the master before it is answered', async () => {
    const { membership, world } = setUp({ world: inCluster });
    await membership.start();
    const answer = await membership.handleJoin(NEW, joinRequest(NEW), PROOF);
    assert.equal(answer.type, 'admitted');
    assert.deepEqual(world.calls.at(-1), {
      to: LEAD,
      request: { type: 'admit-joiner', member: newMemberOf(NEW), proof: PROOF },
    });
  });

  test('nobody joins for another, as a voter that lost its log, or where there is no master', async () => {
    const code = (answer: JoinResponse): string => (answer.type === 'refused' ? answer.code : answer.type);
    const { membership, world } = setUp({ world: inCluster });
    await membership.start();
    assert.equal(code(await membership.handleJoin(NEW, joinRequest(SOMEBODY), PROOF)), 'NOT_YOURSELF');
    world.status = { ...world.status, configuration: { voters: [NEW], learners: [] } };
    assert.equal(code(await membership.handleJoin(NEW, joinRequest(NEW), PROOF)), 'IS_VOTER');
    world.status = { lastIndex: 2, leader: null };
    assert.equal(code(await membership.handleJoin(NEW, joinRequest(NEW), PROOF)), 'NO_MASTER');
    assert.equal(code(await setUp().membership.handleJoin(NEW, joinRequest(NEW), PROOF)), 'NO_CLUSTER');
  });

  test('an invitation is accepted by an empty founder, which then asks by itself if it is forgotten', async () => {
    const { membership, world, clock } = setUp({ world: inCluster });
    await membership.start();
    const answer = await membership.handleJoin(OTHER_ID, INVITATION, null);
    assert.equal(answer.type, 'accepted');
    assert.deepEqual([world.resets, world.identity?.clusterId, world.gate?.members], [1, 'theirs', [OTHER]]);
    assert.equal(world.joins.length, 0);
    clock.advance(3_500);
    await settled();
    assert.equal(world.joins[0]?.target, OTHER.addresses[0]);
  });

  test('before it knows which cluster it is in, a node takes no invitation and lets nobody join', async () => {
    const { membership, world } = setUp({ world: inCluster });
    for (const request of [INVITATION, joinRequest(NEW)]) {
      const answer = await membership.handleJoin(NEW, request, PROOF);
      assert.ok(answer.type === 'refused' && answer.code === 'NO_CLUSTER', JSON.stringify(answer));
    }
    assert.equal(world.resets, 0);
  });

  test('a node that was removed takes no invitation back: it would need no new token', async () => {
    const { membership, apply } = setUp({ world: inCluster });
    await membership.start();
    apply({ type: 'member-put', member: member(SELF) });
    apply({ type: 'member-remove', id: SELF, atMs: 2 });
    for (const clusterId of ['mine', 'theirs']) {
      const answer = await membership.handleJoin(OTHER_ID, { type: 'invite', clusterId, members: [] }, null);
      assert.ok(answer.type === 'refused' && answer.code === 'REMOVED', JSON.stringify(answer));
    }
  });

  test('who was let in to invite can not ask to join without a proof of its own', async () => {
    const { membership, world } = setUp({ world: inCluster });
    await membership.start();
    const answer = await membership.handleJoin(NEW, joinRequest(NEW), null);
    assert.ok(answer.type === 'refused' && answer.code === 'NOT_YOURSELF');
    assert.deepEqual(world.calls, []);
  });

  test('an invitation is refused by a node with members or tasks of its own', async () => {
    const { membership, world, apply } = setUp({ world: inCluster });
    await membership.start();
    apply({ type: 'member-put', member: member(SELF) });
    apply({ type: 'member-put', member: member(FRIEND) });
    const answer = await membership.handleJoin(OTHER_ID, INVITATION, null);
    assert.ok(answer.type === 'refused' && answer.code === 'NOT_EMPTY');
    assert.equal(world.resets, 0);
  });

  for (const made of ['join', 'api'] as const) {
    test(`so it is by a node whose people have made ${made} tokens: they use it`, async () => {
      const { membership, world, apply } = setUp({ world: inCluster });
      await membership.start();
      const founding = joinTokenOf('the founding token');
      apply({ type: 'join-token-put', token: founding, replaces: null });
      if (made === 'join')
        apply({ type: 'join-token-put', token: joinTokenOf('another'), replaces: founding.id });
      else apply({ type: 'api-token-put', token: apiTokenOf('for people'), replaces: null });
      const answer = await membership.handleJoin(OTHER_ID, INVITATION, null);
      assert.ok(answer.type === 'refused' && answer.code === 'NOT_EMPTY', JSON.stringify(answer));
      assert.equal(world.resets, 0);
    });
  }
});

/** Again, by a token that was made for it. */
function letIn(apply: (command: Command) => unknown): void {
  const token = joinTokenOf('a token for who was removed', { createdAtMs: 3 });
  apply({ type: 'join-token-put', token, replaces: null });
  apply({ type: 'member-admit', member: member(SELF), tokenId: token.id, atMs: 4 });
}

describe('as a member', () => {
  const joined = {
    identity: { clusterId: 'theirs', founder: false, peers: [OTHER], removed: false, introducer: null },
    status: { lastIndex: 5, leader: OTHER_ID },
  };

  test('the gate follows the table once the table has this node, and until then also the peers of the invitation', async () => {
    const { membership, world, apply } = setUp({ world: joined });
    await membership.start();
    apply({ type: 'member-put', member: member(THIRD) });
    assert.deepEqual(
      world.gate?.members.map(({ id }) => id),
      [OTHER_ID, THIRD],
    );
    apply({ type: 'member-put', member: member(SELF) });
    assert.deepEqual(
      world.gate?.members.map(({ id }) => id),
      [THIRD, SELF],
    );
  });

  test('a voter that this node has no row of yet is let in by the word of the voters', async () => {
    const { membership, world } = setUp({ world: joined });
    await membership.start();
    world.status = { ...world.status, vouched: [THIRD, 'garbage'] };
    world.change();
    assert.deepEqual(world.gate?.members.at(-1), { id: THIRD, addresses: [] });
    assert.equal(
      world.gate?.members.some(({ id }) => id === 'garbage'),
      false,
    );
  });

  test('a node that was removed is let in until it has left the configuration', async () => {
    const { membership, world, apply } = setUp({ world: joined });
    await membership.start();
    for (const id of [SELF, OTHER_ID]) apply({ type: 'member-put', member: member(id) });
    world.status = { ...world.status, configuration: { voters: [OTHER_ID, SELF], learners: [] } };
    apply({ type: 'member-remove', id: OTHER_ID, atMs: 2 });
    assert.deepEqual(world.gate?.members.map(({ id }) => id).sort(), [OTHER_ID, SELF]);
    world.status = { ...world.status, configuration: { voters: [SELF], learners: [] } };
    world.change();
    assert.deepEqual(
      world.gate?.members.map(({ id }) => id),
      [SELF],
    );
  });

  test('a new address is announced to the master, an old one is not', async () => {
    const { membership, world, apply, clock } = setUp({ world: joined });
    await membership.start();
    apply({ type: 'member-put', member: member(SELF) });
    clock.advance(2_000);
    await settled();
    assert.equal(world.calls.length, 0);
    apply({ type: 'member-put', member: member(SELF, { addresses: ['/ip4/10.0.0.9/tcp/1'] }) });
    clock.advance(1_000);
    await settled();
    const announced = { type: 'admit', member: newMemberOf(SELF, own) };
    assert.deepEqual(world.calls[0]?.request, announced);
    // So is a new token of its own: without that no other node would know it.
    apply({ type: 'member-put', member: member(SELF, { apiToken: '6'.repeat(64) }) });
    clock.advance(1_000);
    await settled();
    assert.deepEqual(world.calls[1]?.request, announced);
  });

  test('a node that was removed neither announces itself nor joins again', async () => {
    const { membership, world, apply, clock } = setUp({ world: joined });
    await membership.start();
    apply({ type: 'member-put', member: member(SELF) });
    apply({ type: 'member-remove', id: SELF, atMs: 2 });
    const { joins } = world;
    const before = joins.length;
    clock.advance(60_000);
    await settled();
    assert.equal(joins.length, before);
    assert.equal(world.removals, 1);
    const again = await membership.start();
    assert.ok(!again.ok && again.error.code === 'REMOVED');
    assert.deepEqual(world.calls, []);
  });

  test('a node that was removed dials nobody after a while, unless it is called in again', async () => {
    const { membership, world, apply, clock } = setUp({ world: joined });
    await membership.start();
    for (const id of [SELF, OTHER_ID]) apply({ type: 'member-put', member: member(id) });
    const known = () => world.gate?.members.map(({ id }) => id).sort();
    apply({ type: 'member-remove', id: SELF, atMs: 2 });
    clock.advance(4_000);
    assert.ok(known()?.includes(OTHER_ID), 'it may have to hand over');
    clock.advance(2_000);
    world.change();
    assert.deepEqual(known(), []);
    letIn(apply);
    assert.ok(known()?.includes(OTHER_ID));
    clock.advance(60_000);
    assert.ok(known()?.includes(OTHER_ID));
    membership.stop();
    assert.deepEqual(clock.pending(), []);
  });

  test('a node that was removed knows it at its next start, though its log does not say that it is committed', async () => {
    const first = setUp({ world: joined });
    await first.membership.start();
    first.apply({ type: 'member-put', member: member(SELF) });
    first.apply({ type: 'member-remove', id: SELF, atMs: 2 });
    await settled();
    const next = setUp({ world: { ...joined, identity: first.world.identity } });
    next.apply({ type: 'member-put', member: member(SELF) });
    const outcome = await next.membership.start();
    assert.ok(!outcome.ok && outcome.error.code === 'REMOVED');
  });

  test('a removal that is replayed counts only if the node was not let in again since', async () => {
    for (const isBack of [true, false]) {
      const { membership, world, apply, clock } = setUp({ world: joined });
      apply({ type: 'member-put', member: member(SELF) });
      apply({ type: 'member-remove', id: SELF, atMs: 2 });
      if (isBack) letIn(apply);
      assert.equal((await membership.start()).ok, isBack);
      assert.equal(world.removals, isBack ? 0 : 1);
      clock.advance(10_000);
      assert.equal(world.removals, isBack ? 0 : 1);
    }
  });

  test('a node that was removed and called in again is a member at its next start', async () => {
    const { membership, world, apply } = setUp({ world: joined });
    await membership.start();
    apply({ type: 'member-put', member: member(SELF) });
    apply({ type: 'member-remove', id: SELF, atMs: 2 });
    letIn(apply);
    await settled();
    const next = setUp({ world: { ...joined, identity: world.identity } });
    next.apply({ type: 'member-put', member: member(SELF) });
    assert.ok((await next.membership.start()).ok);
  });
});
