/** Tokens and the audit trail as JSON. */
import Type, { type Static } from 'typebox';
import { name, nullable } from '../../../protocols/schema/fields.ts';
import {
  ApiToken,
  AuditEntry,
  JoinToken,
  MemberRole,
  Scope,
  TOKEN_STATES,
  TokenId,
} from '../../../protocols/schema/token.ts';
import type { KnownToken, MadeToken } from '../../master/token-service.ts';
import { jsonOf, jsonProperties, toJson } from '../json.ts';

const MINUTE = 60;
const DAY = 86_400;
const TEN_YEARS = 3_650 * DAY;

/** How long a token holds, seconds, where nobody says. */
export const DEFAULT_TTL = { api: 90 * DAY, join: DAY } as const;

const { id, scope, createdAtMs, createdBy, expiresAtMs, revokedAtMs } = ApiToken.properties;
const { role, uses, used } = JoinToken.properties;
const Kind = Type.Enum(['api', 'join'], {
  description: 'api: lets people and programs ask; join: lets nodes in.',
});

export const TokenBody = Type.Object(
  {
    kind: Kind,
    name: Type.Optional(name(64, { description: 'For people.' })),
    scope: Type.Optional({ ...Scope, description: 'For api: what it may; submit when absent.' }),
    role: Type.Optional({
      ...MemberRole,
      description: 'For join: what nodes become by it; voter when absent.',
    }),
    uses: Type.Optional(
      nullable(
        Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          description: 'For join: how many nodes it lets in; null: any number. 1 when absent.',
        }),
      ),
    ),
    ttl_seconds: Type.Optional(
      nullable(
        Type.Integer({
          minimum: MINUTE,
          maximum: TEN_YEARS,
          description: `How long it holds; null: until it is revoked. When absent ${DEFAULT_TTL.api} (90 days) for api, ${DEFAULT_TTL.join} (a day) for join.`,
        }),
      ),
    ),
  },
  { examples: [{ kind: 'api', name: 'ci', scope: 'submit', ttl_seconds: 2_592_000 }] },
);

export const TokenParams = Type.Object({ id: TokenId });

const Token = Type.Object({
  ...jsonProperties({ id }),
  kind: Kind,
  name: Type.String(),
  state: Type.Enum([...TOKEN_STATES]),
  scope: nullable(jsonOf(scope)),
  role: nullable(jsonOf(role)),
  uses: jsonOf(uses),
  used: nullable(jsonOf(used)),
  ...jsonProperties({ createdAtMs, createdBy, expiresAtMs, revokedAtMs }),
});
export type TokenJson = Static<typeof Token>;

const Made = Type.Object({
  ...Token.properties,
  token: Type.String({ description: 'What its bearer shows. It is told this once, and kept nowhere.' }),
});
export type MadeTokenJson = Static<typeof Made>;

const example: TokenJson = {
  id: '3f1c9a52d0e84b6f',
  kind: 'api',
  name: 'ci',
  state: 'active',
  scope: 'submit',
  role: null,
  uses: null,
  used: null,
  created_at: '2025-01-31T12:00:00.000Z',
  created_by: 'root',
  expires_at: '2025-05-01T12:00:00.000Z',
  revoked_at: null,
};

export const TokenAnswer = { ...Token, description: 'The token, without its text.', examples: [example] };
export const MadeAnswer = {
  ...Made,
  description: 'The token. Its text is told this once.',
  examples: [{ ...example, token: `fsa_${'0'.repeat(64)}` }],
};
export const TokenList = Type.Object(
  { tokens: Type.Array(Token) },
  { description: 'Newest first, without their texts.', examples: [{ tokens: [example] }] },
);

export function presentToken(known: KnownToken): TokenJson {
  const { id, name, createdAtMs, createdBy, expiresAtMs, revokedAtMs } = known.token;
  const { role, uses, used } = known.kind === 'join' ? known.token : { role: null, uses: null, used: null };
  return {
    id,
    kind: known.kind,
    name,
    state: known.state,
    scope: known.kind === 'api' ? known.token.scope : null,
    role,
    uses,
    used,
    ...toJson({ createdAtMs, createdBy, expiresAtMs, revokedAtMs }),
  };
}

export const presentMade = (made: MadeToken): MadeTokenJson => ({
  ...presentToken(made),
  token: made.text,
});

export const AuditQuery = Type.Object({
  limit: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 10_000, description: 'At most this many; 100 when absent.' }),
  ),
  since: Type.Optional(
    Type.String({
      pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,9})?)?(Z|[+-]\\d{2}:\\d{2})$',
      format: 'date-time',
      'x-expected': 'a time such as 2025-01-31T12:00:00Z',
    }),
  ),
});

export const AuditTrail = Type.Object(
  { entries: Type.Array(jsonOf(AuditEntry)) },
  {
    description: 'Who did what, newest first.',
    examples: [
      {
        entries: [
          {
            at: '2025-01-31T12:00:00.000Z',
            who: 'root',
            token_id: null,
            node: '12D3KooWExample',
            action: 'DELETE /cluster/workers/:id',
            subject: '12D3KooWOther',
          },
        ],
      },
    ],
  },
);
export type AuditJson = Static<typeof AuditTrail>;
