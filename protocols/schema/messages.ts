/** What members, and nodes that want to be, ask each other on streams. */
import Type from 'typebox';
import { AttemptReport, Dispatch, HeldAttempt, OutputStream, StartedNotice } from './attempt.ts';
import {
  Attempt,
  bytes,
  ClusterId,
  listOf,
  MAX_MEMBERS,
  MAX_OUTPUT_BYTES,
  NodeId,
  name,
  nullable,
  oneOf,
  RunId,
  Sha256,
  sentence,
  Term,
  type Value,
  whole,
} from './fields.ts';
import { KnownPeer, NewMember } from './member.ts';
import { ClusterKey, KeyId } from './secret.ts';
import { TokenId } from './token.ts';

/** Attempts that one node runs, or still has to report. */
const MAX_HELD = 16_384;

const message = <const T extends string, const P extends Type.TProperties>(type: T, properties: P) =>
  Type.Object({ type: Type.Literal(type), ...properties });

/** Short enough to stand in the sentence of whoever hears it. */
const Refused = message('refused', { code: name(64), message: sentence({ maxLength: 16_384 }) });

export const NONCE_BYTES = 32;
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const nonce = bytes(NONCE_BYTES, NONCE_BYTES);

/** Whom a proof is of: who holds a join token, or who has the key of a peer id. */
export const Bearer = Type.Union([message('token', { id: TokenId }), message('peer', { id: NodeId })]);
export type Bearer = Value<typeof Bearer>;

/** What a bearer showed, with all that it takes to check it again (../proof). */
export const ShownProof = Type.Object({
  bearer: Bearer,
  dialler: nonce,
  answerer: nonce,
  signature: bytes(SIGNATURE_BYTES, SIGNATURE_BYTES),
});
export type ShownProof = Value<typeof ShownProof>;

export const ControlRequest = Type.Union([
  /** To the master: the sender, a member, has another address or name. */
  message('admit', { member: NewMember }),
  /** To the master: commit this new member, which showed its proof to the sender. */
  message('admit-joiner', { member: NewMember, proof: ShownProof }),
  /** To the master: an attempt has started. */
  message('started', StartedNotice.properties),
  /** To the master: an attempt is over. */
  message('report', { report: AttemptReport }),
  /** To a worker. */
  message('dispatch', { dispatch: Dispatch }),
  message('cancel', { runId: RunId, attempt: Attempt }),
  /** From the master of the term, to members that may become one: it will be used once a majority has it on disk. */
  message('cluster-key-keep', { term: Term, key: ClusterKey }),
  /** To a member that may become master, from another. */
  message('cluster-key-ask', { id: KeyId }),
  /** To a worker: what do you hold? */
  message('held', {}),
  /** To a worker: output so far of an attempt that runs. */
  message('output', { runId: RunId, attempt: Attempt, stream: OutputStream, offset: whole() }),
]);
export type ControlRequest = Value<typeof ControlRequest>;

export const ControlResponse = Type.Union([
  message('ok', {}),
  message('not-master', { master: nullable(NodeId) }),
  /** An expected refusal; `code` is of the request's own room, for example one of a dispatch. */
  Refused,
  message('cluster-key', { key: ClusterKey }),
  message('held', { attempts: listOf(HeldAttempt, MAX_HELD) }),
  message('output', { bytes: bytes(MAX_OUTPUT_BYTES), ended: Type.Boolean() }),
]);
export type ControlResponse = Value<typeof ControlResponse>;

const cluster = { clusterId: ClusterId, members: listOf(KnownPeer, MAX_MEMBERS) };

/** What a peer that proved the token asks for. */
export const JoinRequest = Type.Union([
  /** The dialler wants to become a member of the answerer's cluster. */
  message('join', { member: NewMember }),
  /** The dialler, a master, wants the answerer to leave its own, empty cluster and join the dialler's. */
  message('invite', cluster),
]);
export type JoinRequest = Value<typeof JoinRequest>;

export const JoinResponse = Type.Union([
  message('admitted', cluster),
  message('accepted', { member: NewMember }),
  Refused,
]);
export type JoinResponse = Value<typeof JoinResponse>;

/** The largest file that a peer may announce: a TiB. */
const size = whole({ maximum: 1024 ** 4 });

export const BlobRequest = Type.Union([
  message('push', { sha256: Sha256, size }),
  message('fetch', { sha256: Sha256 }),
]);
export type BlobRequest = Value<typeof BlobRequest>;

export const BlobReply = Type.Union([
  /** Push: send the bytes. Fetch: this many bytes follow. */
  message('proceed', { size }),
  /** Push: it is on this node's disk. */
  message('stored', {}),
  message('failure', { code: oneOf(['MISSING', 'MISMATCH', 'DISK', 'REFUSED']), message: sentence() }),
]);
export type BlobReply = Value<typeof BlobReply>;

/** Set by a member, which is known by its peer id; anyone else goes on to prove itself. */
export const InspectRequest = Type.Object({ member: Type.Boolean() });

export const ProofHello = Type.Object({
  nonce,
  purpose: name(32),
  /** SHA-256 of the request that follows, or nothing. */
  about: bytes(KEY_BYTES),
  /** Null: the dialler is a member that calls in who waits. */
  bearer: nullable(Bearer),
});
export type ProofHello = Value<typeof ProofHello>;
/** To who calls in: the token of the answerer, null: it has none. Else null. */
export const ProofChallenge = Type.Object({ nonce, token: nullable(TokenId) });
const proof = bytes(SIGNATURE_BYTES, KEY_BYTES);
export const ProofShown = Type.Object({ proof });
/** Why the other end refused, or was refused. Nobody is `BANNED` by this version. */
export const ProofRefusal = oneOf([
  'WRONG_TOKEN',
  'BANNED',
  'REVOKED',
  'EXPIRED',
  'USED_UP',
  /** The answerer doesn't know yet what its cluster knows: ask again. */
  'NOT_READY',
  /** Who was called in has no token, so it doesn't wait. */
  'NO_TOKEN',
]);
export type ProofRefusal = Value<typeof ProofRefusal>;
export const ProofVerdict = Type.Union([
  /** The dialler was right: here is the answerer's own half. */
  message('proof', { proof }),
  message('refusal', { code: ProofRefusal }),
]);
