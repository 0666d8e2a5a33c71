/**
 * Tokens, as the cluster keeps them. A join token lets nodes in, an API token lets people (and their programs) ask.
 * Both are texts that whoever made them was shown once (see `tokenFault`); their ids and keys follow from them.
 */
import Type from 'typebox';
import { bytes, moment, name, nullable, oneOf, Sha256, type Value, whole } from './fields.ts';

const MIN_CHARACTERS = 16;

/** What a text holds that makes it no token, as the end of a sentence; null: nothing. One of the API crosses in a header. */
export function tokenFault(kind: 'api' | 'join', text: string): string | null {
  if (text.length < MIN_CHARACTERS) return `${text.length} characters: a token has ${MIN_CHARACTERS} or more`;
  if (kind === 'api' && !/^[\x21-\x7e]+$/.test(text))
    return 'white space or special characters: a token of the API is one word of printable ASCII characters';
  return null;
}

export const TokenId = Type.String({
  pattern: '^[0-9a-f]{16}$',
  description: 'Id of a token; it follows from the token and is no secret.',
  'x-expected': 'the id of a token: 16 lower-case hexadecimal digits',
  examples: ['3f1c9a52d0e84b6f'],
});
export type TokenId = Value<typeof TokenId>;

/** What a member may become: `voter` may vote when there is room, `worker` never does. */
export const MemberRole = oneOf(['voter', 'worker'], {
  description: 'voter: may vote and lead; worker: carries out runs and never votes.',
});
export type MemberRole = Value<typeof MemberRole>;

/** Each includes those before it. */
export const SCOPES = ['read', 'submit', 'operate', 'admin'] as const;
export const Scope = oneOf(SCOPES, {
  description:
    'What its bearer may do: read; submit (upload, benchmark, run, cancel); operate (models, nodes); admin (members, tokens, the audit trail). Each includes those before it.',
});
export type Scope = Value<typeof Scope>;

const KEY_BYTES = 32;
/** Who made it: a name for people. */
const Maker = name(255, { description: 'Who did it.' });

const common = {
  id: TokenId,
  name: name(64, { description: 'For people.' }),
  createdAtMs: moment(),
  createdBy: Maker,
  /** Null: never. */
  expiresAtMs: nullable(moment()),
  revokedAtMs: nullable(moment()),
};

export const JoinToken = Type.Object({
  ...common,
  /** Ed25519 public key that its bearer's signature is checked by: it follows from the token, which can't be had from it. */
  key: bytes(KEY_BYTES, KEY_BYTES),
  role: MemberRole,
  /** How many nodes it may let in; null: any number. */
  uses: nullable(whole({ minimum: 1 })),
  used: whole(),
});
export type JoinToken = Value<typeof JoinToken>;

export const ApiToken = Type.Object({ ...common, sha256: Sha256, scope: Scope });
export type ApiToken = Value<typeof ApiToken>;

/** Whether it still does what it is for. */
export const TOKEN_STATES = ['active', 'used_up', 'expired', 'revoked'] as const;
export type TokenState = (typeof TOKEN_STATES)[number];

/** Characters. */
export const MAX_SUBJECT = 512;

/** What somebody did who may operate or administer; it is committed before it is done. */
export const AuditEntry = Type.Object({
  atMs: moment(),
  who: Maker,
  /** Null: no token, but a trusted user of the node's machine, or the node itself. */
  tokenId: nullable(TokenId),
  node: name(128, { description: 'Peer id of the node that was asked.' }),
  action: name(128, { description: 'What was done, such as `DELETE /cluster/workers/:id`.' }),
  subject: name(MAX_SUBJECT, { description: 'To what.' }),
});
export type AuditEntry = Value<typeof AuditEntry>;
