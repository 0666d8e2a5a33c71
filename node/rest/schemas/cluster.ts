/** The cluster and its workers as JSON. */
import Type, { type Static } from 'typebox';
import { machine, TableVersions } from '../../../protocols/schema/capacity.ts';
import { NodeId, nullable, Term } from '../../../protocols/schema/fields.ts';
import { Member } from '../../../protocols/schema/member.ts';
import { PLAIN_WORD } from '../../../protocols/schema/text.ts';
import { ClusterView, DomainView, MemberView } from '../../../protocols/schema/views.ts';
import { jsonOf, jsonProperties, nullableProperties, toJson } from '../json.ts';

export const WorkerBody = Type.Object(
  {
    host: Type.String({
      minLength: 1,
      maxLength: 512,
      pattern: PLAIN_WORD,
      description:
        'HOST, HOST:PORT or multiaddr of a node that runs and waits, started with a join token of this cluster.',
      'x-expected': 'a host, host:port or multiaddr without spaces',
    }),
  },
  { examples: [{ host: '192.168.1.10' }] },
);

export const REMOVED = 'worker node successfully removed';
export const RemovedBody = Type.Object(
  {
    message: Type.String(),
    revoked_tokens: Type.Array(Type.String(), {
      description: 'Ids of the join tokens that were revoked with it, so that it does not come back by them.',
    }),
  },
  {
    description: 'It is no member any more.',
    examples: [{ message: REMOVED, revoked_tokens: ['3f1c9a52d0e84b6f'] }],
  },
);

export const WorkerList = Type.Object(
  { workers: Type.Array(Type.Object({ id: Type.String(), host: Type.String() })) },
  {
    description: 'The members of the cluster.',
    examples: [
      {
        workers: [
          { id: 'worker1', host: '192.168.1.10' },
          { id: 'worker2', host: '192.168.1.11' },
        ],
      },
    ],
  },
);

const { load1, profilers, troubles, modelVersion: _, ...machineProperties } = machine;
const { role, host, alive } = MemberView.properties;
/** What an API token is known by concerns nobody who reads. */
const { apiToken: __, ...memberProperties } = Member.properties;

const Worker = Type.Object({
  ...jsonProperties(memberProperties),
  ...jsonProperties({ role, host, alive }),
  last_heard_seconds: nullable(Type.Number({ description: 'Seconds since it was last heard.' })),
  ...jsonProperties(nullableProperties(machineProperties)),
  load: jsonOf(nullable(load1)),
  profilers: jsonOf(profilers),
  troubles: jsonOf(troubles),
  ways: nullable(Type.Integer({ description: 'Ways of all domains.' })),
  free_ways: nullable(Type.Integer()),
  llc: Type.Array(jsonOf(DomainView), {
    description: 'Last-level caches; empty while nothing is known of the node.',
  }),
});
export type WorkerJson = Static<typeof Worker>;

const UNKNOWN = Object.fromEntries(Object.keys(machineProperties).map((key) => [key, null])) as {
  readonly [K in keyof typeof machineProperties]: null;
};

export function presentWorker({ member, role, host, alive, lastHeardMs, capacity }: MemberView): WorkerJson {
  const {
    domains,
    load1,
    profilers,
    troubles,
    modelVersion: _,
    ...machine
  } = capacity ?? {
    ...UNKNOWN,
    domains: [],
    load1: null,
    profilers: [],
    troubles: [],
    modelVersion: null,
  };
  const { apiToken: __, ...known } = member;
  const total = (ways: (domain: DomainView) => number) =>
    capacity === null ? null : domains.reduce((sum, domain) => sum + ways(domain), 0);
  return {
    ...toJson(known),
    role,
    host,
    alive,
    last_heard_seconds: lastHeardMs === null ? null : Math.round(lastHeardMs) / 1000,
    ...toJson(machine),
    load: load1,
    profilers: [...profilers],
    troubles: [...troubles],
    ways: total((domain) => domain.ways),
    free_ways: total((domain) => domain.freeWays),
    llc: toJson(domains),
  };
}

const workerExample: WorkerJson = {
  id: '12D3KooWExample',
  name: 'alpha',
  host: '192.168.1.10',
  addresses: ['/ip4/192.168.1.10/tcp/8300'],
  may_vote: true,
  joined_by: '3f1c9a52d0e84b6f',
  role: 'master',
  alive: true,
  last_heard_seconds: 0,
  joined_at: '2025-01-31T12:00:00.000Z',
  version: '0.1.0',
  cpus: 2,
  cpu_model: 'Example CPU',
  memory_bytes: 8589934592,
  free_memory_bytes: 4294967296,
  load: 0.25,
  enforcement: 'unenforced',
  profilers: ['cachegrind', 'wallclock'],
  takes_runs: true,
  troubles: [],
  ways: 16,
  free_ways: 12,
  llc: [
    {
      id: 0,
      cpus: [0, 1],
      ways: 16,
      free_ways: 12,
      min_ways: 1,
      way_bytes: 1048576,
      masks: { reserve: 49152, foreign: 0, io: 49152, pool: 0 },
      occupancy_bytes: 3_900_000,
      pool_bandwidth_percent: null,
      runs: [
        {
          run_id: 'run123',
          attempt: 1,
          domain: 0,
          sensitive: true,
          ways: 4,
          hold: 'partition',
          mask: 15,
          occupancy_bytes: 3_900_000,
        },
      ],
    },
  ],
};

export const WorkerMap = Type.Record(Type.String(), Worker, {
  description: 'System information by id.',
  examples: [{ '12D3KooWExample': workerExample }],
});

export const WorkerParams = Type.Object({
  id: Type.String({
    minLength: 1,
    maxLength: 128,
    description: 'Id of the worker, as GET /cluster/workers lists it.',
  }),
});

const { commitIndex, appliedIndex, lastIndex } = ClusterView.properties.consensus.properties;
const { health, queued, running } = ClusterView.properties;

export const Cluster = Type.Object(
  {
    cluster_id: Type.String(),
    term: jsonOf(Term),
    master: jsonOf(nullable(NodeId)),
    voters: Type.Array(Type.String()),
    learners: Type.Array(Type.String()),
    ...jsonProperties({ commitIndex, appliedIndex, lastIndex }),
    members: Type.Array(Worker),
    ...jsonProperties({ health, versions: TableVersions, queued, running }),
  },
  {
    description: 'The cluster as its master sees it.',
    examples: [
      {
        cluster_id: 'c0ffee',
        term: 3,
        master: '12D3KooWExample',
        voters: ['12D3KooWExample'],
        learners: [],
        commit_index: 42,
        applied_index: 42,
        last_index: 42,
        members: [workerExample],
        health: { state: 'healthy', reasons: [] },
        versions: { members: 1, tasks: 1, profiles: 1, runs: 4, models: 0, observations: 3 },
        queued: 0,
        running: 1,
      },
    ],
  },
);
export type ClusterJson = Static<typeof Cluster>;

export function presentCluster(view: ClusterView): ClusterJson {
  const { term, leader, configuration, commitIndex, appliedIndex, lastIndex } = view.consensus;
  const { health, versions, queued, running } = view;
  return {
    cluster_id: view.clusterId ?? '',
    term,
    master: leader,
    ...toJson(configuration),
    ...toJson({ commitIndex, appliedIndex, lastIndex, health, versions, queued, running }),
    members: view.members.map(presentWorker),
  };
}
