/** What a node says of itself, master or not. */
import Type, { type Static } from 'typebox';
import { nullable } from '../../../protocols/schema/fields.ts';
import type { RestBackend } from '../backend.ts';

const Health = Type.Object({
  status: Type.Enum(['ok', 'no_master', 'disk_full', 'removed'], {
    description:
      'Whether this node knows a master; disk_full: it takes no run and no upload; removed: it is no member any more.',
  }),
  message: nullable(Type.String({ description: 'What to do, unless it is ok.' })),
  id: Type.String(),
  name: Type.String(),
  version: Type.String(),
  role: Type.Enum(['master', 'voter', 'learner']),
  term: Type.Integer(),
  master: nullable(Type.String()),
  enforcement: Type.String(),
  troubles: Type.Array(Type.String(), { description: 'What its operator must mend.' }),
  disk: nullable(
    Type.Object(
      { free_bytes: Type.Number(), reserve_bytes: Type.Number({ description: 'Kept for its log.' }) },
      { description: 'Null while nothing is known.' },
    ),
  ),
  uptime_seconds: Type.Number(),
});
export type HealthJson = Static<typeof Health>;

const example: HealthJson = {
  status: 'ok',
  message: null,
  id: '12D3KooWExample',
  name: 'alpha',
  version: '0.1.0',
  role: 'voter',
  term: 3,
  master: '12D3KooWOther',
  enforcement: 'unenforced',
  troubles: [],
  disk: { free_bytes: 80_000_000_000, reserve_bytes: 5_000_000_000 },
  uptime_seconds: 12.5,
};

/** For whoever asks without a token, such as a probe: nothing of the cluster or the machine. */
const BriefHealth = Type.Object({ status: Health.properties.status });
const briefExample = { status: 'ok' };

export const HealthAnswer = Type.Union([Health, BriefHealth], {
  description: 'The node is up.',
  examples: [example, briefExample],
});

export const Index = Type.Object(
  { name: Type.String(), version: Type.String(), links: Type.Record(Type.String(), Type.String()) },
  {
    description: 'Where to go from here.',
    examples: [{ name: 'fsched', version: '0.1.0', links: { openapi: '/openapi.json' } }],
  },
);

const NO_MASTER_YET = 'there is no master now: an election is under way, or a majority of the voters is down';

export function presentBriefly(health: ReturnType<RestBackend['localHealth']>): Static<typeof BriefHealth> {
  return { status: presentHealth(health).status };
}

export function presentHealth(health: ReturnType<RestBackend['localHealth']>): HealthJson {
  const { consensus, room, troubles } = health;
  const votes = consensus.configuration.voters.includes(health.id);
  return {
    ...judge(health),
    id: health.id,
    name: health.name,
    version: health.version,
    role: consensus.role === 'leader' && consensus.ready ? 'master' : votes ? 'voter' : 'learner',
    term: consensus.term,
    master: consensus.leader,
    enforcement: health.enforcement,
    troubles: [...troubles],
    disk: room && { free_bytes: room.freeBytes, reserve_bytes: room.reserveBytes },
    uptime_seconds: health.uptimeSeconds,
  };
}

function judge({
  removed,
  room,
  troubles,
  consensus,
}: ReturnType<RestBackend['localHealth']>): Pick<HealthJson, 'status' | 'message'> {
  if (removed !== null) return { status: 'removed', message: removed };
  // Before the master: a voter without room for its log may be why there is none.
  if (room?.isLow === true) return { status: 'disk_full', message: troubles[0] ?? null };
  if (consensus.leader === null) return { status: 'no_master', message: NO_MASTER_YET };
  return { status: 'ok', message: null };
}
