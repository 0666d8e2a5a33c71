/** What a node tells of itself and of its cluster, to people: over REST, and by `fsched inspect`. */
import Type from 'typebox';
import { HeldAttempt } from './attempt.ts';
import {
  CapacityNotice,
  ClusterDigest,
  DomainCapacity,
  machine,
  RunShare,
  TableVersions,
} from './capacity.ts';
import {
  amount,
  ClusterId,
  InputSize,
  listOf,
  MAX_DOMAINS,
  MAX_MEMBERS,
  moment,
  NodeId,
  name,
  nullable,
  oneOf,
  sentence,
  Term,
  type Value,
  Ways,
  whole,
} from './fields.ts';
import { Member } from './member.ts';

export const DomainView = Type.Object({
  ...DomainCapacity.properties,
  runs: Type.Array(RunShare),
});
/** One LLC domain with the runs that are there. */
export type DomainView = Value<typeof DomainView>;

export const CapacityView = Type.Object({ ...machine, domains: listOf(DomainView, MAX_DOMAINS) });
/** A node's capacity with its runs where they are. */
export type CapacityView = Value<typeof CapacityView>;

export const MemberView = Type.Object({
  member: Member,
  role: oneOf(['master', 'voter', 'learner', 'worker'], {
    description: 'worker: never votes, because its join token said so; learner: may vote when there is room.',
  }),
  host: sentence({ description: "Host or IP of the member's mesh address." }),
  alive: Type.Boolean(),
  lastHeardMs: nullable(amount({ description: 'Since it was last heard; null: never.' })),
  capacity: nullable(CapacityView),
});
export type MemberView = Value<typeof MemberView>;

const ConsensusView = Type.Object({
  id: NodeId,
  role: oneOf(['follower', 'candidate', 'leader']),
  term: Term,
  leader: nullable(NodeId),
  ready: Type.Boolean(),
  commitIndex: whole(),
  appliedIndex: whole(),
  lastIndex: whole(),
  configuration: Type.Object({ voters: Type.Array(NodeId), learners: Type.Array(NodeId) }),
});
/** How consensus stands on one node. */
export type ConsensusView = Value<typeof ConsensusView>;

export const ClusterView = Type.Object({
  clusterId: nullable(ClusterId),
  consensus: ConsensusView,
  members: listOf(MemberView, MAX_MEMBERS),
  versions: TableVersions,
  queued: whole(),
  running: whole(),
  health: Type.Object({
    state: oneOf(['healthy', 'degraded']),
    reasons: Type.Array(sentence({ description: 'What is wrong and what to do.' })),
  }),
});
export type ClusterView = Value<typeof ClusterView>;

export const DriftView = Type.Object(
  {
    sinceMs: moment(),
    inputSize: InputSize,
    ways: Ways,
    beforeSeconds: amount({ description: 'Typical time that was believed before.' }),
    afterSeconds: amount(),
    message: sentence({ description: 'What has changed and what to do.' }),
  },
  { description: 'That it behaves otherwise than measured. Null: it does not.' },
);
export type DriftView = Value<typeof DriftView>;

const PeerView = Type.Object({
  id: NodeId,
  connected: Type.Boolean(),
  addresses: Type.Array(sentence()),
  remoteAddress: nullable(sentence({ description: 'Of the open connection; null without one.' })),
  rttMs: nullable(amount()),
  /** Clock.monotonicMs() of the last byte of protocol or gossip heard from it; null: never. */
  lastHeardAtMs: nullable(amount()),
  /** Dials since the connection was lost, and when (monotonic) the next is due; null while connected. */
  redial: nullable(Type.Object({ attempts: whole(), nextAtMs: amount() })),
});
/** Another member as the mesh of this node sees it. */
export type PeerView = Value<typeof PeerView>;

const { sequence: ___, ...ownNotice } = CapacityNotice.properties;

export const Inspection = Type.Object({
  node: Type.Object({
    id: NodeId,
    name: name(64),
    version: name(64),
    mesh: Type.Array(sentence()),
    rest: sentence(),
  }),
  cluster: ClusterView,
  peers: listOf(PeerView, MAX_MEMBERS),
  capacity: Type.Object(ownNotice),
  held: Type.Array(HeldAttempt),
  digest: nullable(ClusterDigest),
  model: Type.Object({
    name: name(64),
    version: nullable(whole()),
    sha256: nullable(sentence()),
    description: sentence(),
    current: whole(),
    trouble: nullable(sentence()),
  }),
  tables: Type.Object({ versions: TableVersions, fingerprint: sentence() }),
});
/** One node's own view, with or without a master. */
export type Inspection = Value<typeof Inspection>;
