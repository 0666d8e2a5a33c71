/** What a node says of itself, master or not. */
import Type, { type Static } from 'typebox';
import { nullable } from '../../../protocols/schema/fields.ts';
import type { RestBackend } from '../backend.ts';

export const Health = Type.Object(
  {
    status: Type.Enum(['ok', 'no_master', 'removed'], {
      description: 'Whether this node knows a master; removed: it is no member any more.',
    }),
    message: nullable(Type.String({ description: 'What to do, unless it is ok.' })),
    id: Type.String(),
    name: Type.String(),
    version: Type.String(),
    role: Type.Enum(['master', 'voter', 'learner']),
    term: Type.Integer(),
    master: nullable(Type.String()),
    enforcement: Type.String(),
    uptime_seconds: Type.Number(),
  },
  {
    description: 'The node is up.',
    examples: [
      {
        status: 'ok',
        message: null,
        id: '12D3KooWExample',
        name: 'alpha',
        version: '0.1.0',
        role: 'voter',
        term: 3,
        master: '12D3KooWOther',
        enforcement: 'unenforced',
        uptime_seconds: 12.5,
      },
    ],
  },
);
export type HealthJson = Static<typeof Health>;

export const Index = Type.Object(
  { name: Type.String(), version: Type.String(), links: Type.Record(Type.String(), Type.String()) },
  {
    description: 'Where to go from here.',
    examples: [{ name: 'fsched', version: '0.1.0', links: { openapi: '/openapi.json' } }],
  },
);

const NO_MASTER_YET = 'there is no master now: an election is under way, or a majority of the voters is down';

export function presentHealth(health: ReturnType<RestBackend['localHealth']>): HealthJson {
  const { consensus } = health;
  const votes = consensus.configuration.voters.includes(health.id);
  return {
    status: health.removed !== null ? 'removed' : consensus.leader === null ? 'no_master' : 'ok',
    message: health.removed ?? (consensus.leader === null ? NO_MASTER_YET : null),
    id: health.id,
    name: health.name,
    version: health.version,
    role: consensus.role === 'leader' && consensus.ready ? 'master' : votes ? 'voter' : 'learner',
    term: consensus.term,
    master: consensus.leader,
    enforcement: health.enforcement,
    uptime_seconds: health.uptimeSeconds,
  };
}
