/** The cluster and its workers as JSON. */
import Type, { type Static } from 'typebox';
import { nullable, PLAIN_WORD, Timestamp } from './fields.ts';

export const WorkerBody = Type.Object(
  {
    host: Type.String({
      minLength: 1,
      maxLength: 512,
      pattern: PLAIN_WORD,
      description: 'HOST, HOST:PORT or multiaddr of a node that runs and waits, with the same join token.',
      'x-expected': 'a host, host:port or multiaddr without spaces',
    }),
  },
  { examples: [{ host: '192.168.1.10' }] },
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

const Domain = Type.Object({
  id: Type.Integer(),
  cpus: Type.Array(Type.Integer()),
  ways: Type.Integer(),
  free_ways: Type.Integer(),
  way_bytes: Type.Integer(),
  masks: nullable(
    Type.Object(
      {
        reserve: Type.Integer({ description: "Of everything that isn't ours." }),
        foreign: Type.Integer({ description: 'Of other programs that use resctrl.' }),
        io: Type.Integer({ description: 'That I/O devices fill too.' }),
        pool: Type.Integer({ description: 'Of the runs that share; 0 while there are none.' }),
      },
      { description: 'Where ways are that no single run holds: bit n is way n.' },
    ),
  ),
  occupancy_bytes: nullable(Type.Integer({ description: 'That its runs fill.' })),
  pool_bandwidth_percent: nullable(
    Type.Integer({
      description: 'Limit of memory bandwidth of the shared pool; null without a limit or a pool.',
    }),
  ),
  runs: Type.Array(
    Type.Object({
      run_id: Type.String(),
      attempt: Type.Integer(),
      ways: Type.Integer({ description: 'That it counts for.' }),
      hold: nullable(
        Type.Enum(['partition', 'pool', 'counted'], {
          description: 'What it has its ways by; on an emulated node what it would have them by.',
        }),
      ),
      mask: nullable(Type.Integer({ description: 'Ways that it may fill now: bit n is way n.' })),
      occupancy_bytes: nullable(Type.Integer()),
    }),
  ),
});

const Worker = Type.Object({
  id: Type.String({ description: 'libp2p peer id.' }),
  name: Type.String(),
  host: Type.String(),
  addresses: Type.Array(Type.String(), { description: 'Multiaddrs of the mesh.' }),
  role: Type.Enum(['master', 'voter', 'learner']),
  alive: Type.Boolean(),
  last_heard_seconds: nullable(Type.Number({ description: 'Seconds since it was last heard.' })),
  joined_at: Timestamp,
  version: nullable(Type.String()),
  cpus: nullable(Type.Integer()),
  cpu_model: nullable(Type.String()),
  memory_bytes: nullable(Type.Integer()),
  free_memory_bytes: nullable(Type.Integer()),
  load: nullable(Type.Number({ description: 'Load average of one minute.' })),
  enforcement: nullable(Type.Enum(['enforced', 'emulated', 'unenforced'])),
  profilers: Type.Array(Type.String(), {
    description: 'By what a benchmark can be measured there, the best first.',
  }),
  ways: nullable(Type.Integer({ description: 'Ways of all domains.' })),
  free_ways: nullable(Type.Integer()),
  llc: Type.Array(Domain, { description: 'Last-level caches; empty while nothing is known of the node.' }),
});
export type WorkerJson = Static<typeof Worker>;

const workerExample: WorkerJson = {
  id: '12D3KooWExample',
  name: 'alpha',
  host: '192.168.1.10',
  addresses: ['/ip4/192.168.1.10/tcp/8300'],
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
  ways: 16,
  free_ways: 12,
  llc: [
    {
      id: 0,
      cpus: [0, 1],
      ways: 16,
      free_ways: 12,
      way_bytes: 1048576,
      masks: { reserve: 49152, foreign: 0, io: 49152, pool: 0 },
      occupancy_bytes: 3_900_000,
      pool_bandwidth_percent: null,
      runs: [
        { run_id: 'run123', attempt: 1, ways: 4, hold: 'partition', mask: 15, occupancy_bytes: 3_900_000 },
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

export const Cluster = Type.Object(
  {
    cluster_id: Type.String(),
    term: Type.Integer(),
    master: nullable(Type.String()),
    voters: Type.Array(Type.String()),
    learners: Type.Array(Type.String()),
    commit_index: Type.Integer(),
    applied_index: Type.Integer(),
    last_index: Type.Integer(),
    members: Type.Array(Worker),
    health: Type.Object({
      state: Type.Enum(['healthy', 'degraded']),
      reasons: Type.Array(Type.String({ description: 'What is wrong and what to do.' })),
    }),
    versions: Type.Object(
      {
        members: Type.Integer(),
        tasks: Type.Integer(),
        profiles: Type.Integer(),
        runs: Type.Integer(),
        models: Type.Integer(),
        observations: Type.Integer({ description: 'Times of runs as evidence of their tasks.' }),
      },
      { description: 'How often each table has changed.' },
    ),
    queued: Type.Integer(),
    running: Type.Integer(),
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
