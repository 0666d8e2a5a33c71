/**
 * What nodes gossip: their capacity, and the master's digest of the cluster. Hints: nothing is decided by them alone.
 */
import Type from 'typebox';
import {
  Attempt,
  amount,
  CpuModel,
  Cpus,
  DomainId,
  listOf,
  MAX_DOMAINS,
  MAX_WAYS,
  moment,
  NodeId,
  name,
  nullable,
  oneOf,
  RunId,
  sentence,
  Term,
  type Value,
  WayBytes,
  WayMask,
  Ways,
  whole,
} from './fields.ts';

export const Hold = oneOf(['partition', 'pool', 'counted'], {
  description:
    'What a run has its ways by, or on an emulated node would have: a partition of its own, a place in the shared pool, or accounts alone.',
});
export type Hold = Value<typeof Hold>;

export const DomainMasks = Type.Object(
  {
    reserve: WayMask({ description: "Of everything that isn't ours." }),
    foreign: WayMask({ description: 'Of other programs that use resctrl.' }),
    io: WayMask({ description: 'That I/O devices fill too.' }),
    pool: WayMask({ description: 'Of the runs that share; 0 while there are none.' }),
  },
  { description: 'Where ways are that no single run holds: bit n is way n.' },
);
export type DomainMasks = Value<typeof DomainMasks>;

export const DomainCapacity = Type.Object({
  id: DomainId,
  cpus: Cpus,
  ways: Ways,
  freeWays: whole({ maximum: MAX_WAYS }),
  wayBytes: WayBytes,
  masks: DomainMasks,
  minWays: whole({
    minimum: 1,
    maximum: MAX_WAYS,
    description: 'The fewest ways that a run can be lent there.',
  }),
  occupancyBytes: nullable(whole({ description: 'That its runs fill; null where nothing is counted.' })),
  poolBandwidthPercent: nullable(
    whole({
      maximum: 100,
      description: 'Limit of memory bandwidth of the shared pool; null without a limit or a pool.',
    }),
  ),
});
export type DomainCapacity = Value<typeof DomainCapacity>;

export const RunShare = Type.Object({
  runId: RunId,
  attempt: Attempt,
  domain: DomainId,
  ways: whole({ minimum: 1, maximum: MAX_WAYS, description: 'That it counts for.' }),
  hold: Hold,
  mask: nullable(WayMask({ description: 'Ways that it may fill now: bit n is way n.' })),
  occupancyBytes: nullable(whole()),
  sensitive: Type.Boolean({
    description: 'Whether it gains from cache; if not it takes its share of a pool.',
  }),
});
/** What one run takes of its node. */
export type RunShare = Value<typeof RunShare>;

export const NodeEnforcement = oneOf(['enforced', 'emulated', 'unenforced'], {
  description: 'Whether the node can hold ways, plays it, or only accounts for them.',
});
export type NodeEnforcement = Value<typeof NodeEnforcement>;

/** What a node is and has to lend. */
export const machine = {
  version: name(64, { description: 'Of the program.' }),
  cpus: whole({ maximum: 0xffff }),
  cpuModel: CpuModel,
  memoryBytes: whole(),
  freeMemoryBytes: whole(),
  load1: amount({ description: 'Load average of one minute.' }),
  enforcement: NodeEnforcement,
  profilers: listOf(name(64), 64, {
    description: 'By what a benchmark can be measured there, the best first. A newer node may have others.',
  }),
  modelVersion: nullable(
    whole({ description: "Of the predictor's weights in use, 0: those shipped; null: it uses none." }),
  ),
  takesRuns: Type.Boolean({ description: 'Whether it starts runs now; if not, its troubles say why.' }),
  troubles: listOf(sentence({ maxLength: 1024 }), 16, { description: 'What its operator must mend.' }),
};

export const CapacityNotice = Type.Refine(
  Type.Object(
    {
      node: NodeId,
      name: name(64),
      /** Grows with each notice of one start of the daemon; `startedAtMs` tells the starts apart. */
      sequence: whole(),
      startedAtMs: moment(),
      ...machine,
      domains: listOf(DomainCapacity, MAX_DOMAINS),
      runs: listOf(RunShare, 65_536),
    },
    { 'x-expected': 'a notice that has each domain once, and no more free ways than ways' },
  ),
  ({ domains }) =>
    domains.every(({ freeWays, ways }) => freeWays <= ways) &&
    new Set(domains.map(({ id }) => id)).size === domains.length,
  () => 'must make sense',
);
/** Gossiped by every member: its capacity, on change and as a heartbeat. */
export type CapacityNotice = Value<typeof CapacityNotice>;

export const TableVersions = Type.Object(
  {
    members: whole(),
    tasks: whole(),
    profiles: whole(),
    runs: whole(),
    models: whole(),
    observations: whole({ description: 'Times of runs as evidence of their tasks.' }),
  },
  { description: 'How often each table has changed.' },
);
/** Counts changes, so that two nodes can tell at a glance whether they hold the same. */
export type TableVersions = Value<typeof TableVersions>;

export const ClusterDigest = Type.Object({
  term: Term,
  master: NodeId,
  commitIndex: whole(),
  versions: TableVersions,
  queued: whole(),
  running: whole(),
});
/** Gossiped by the master. */
export type ClusterDigest = Value<typeof ClusterDigest>;
