/** Members, and what a node must know of one to reach it. */
import Type from 'typebox';
import { Addresses, moment, name, nullable, PeerId, Sha256, ToldAddresses, type Value } from './fields.ts';
import { TokenId } from './token.ts';

export const NewMember = Type.Object({
  id: PeerId,
  name: name(64),
  addresses: ToldAddresses,
  /** `apiTokenHash` of the token that lies in its data directory; null: it has none, or is of an older version. */
  apiToken: nullable(Sha256),
});
/** A node that wants to be a member, or whose name or addresses have changed. */
export type NewMember = Value<typeof NewMember>;

export const Member = Type.Object({
  ...NewMember.properties,
  addresses: Addresses,
  mayVote: Type.Boolean({ description: 'Whether it may become a voter.' }),
  /** The join token that it proved; null: it founded the cluster, or came in before tokens had ids. */
  joinedBy: nullable(TokenId),
  joinedAtMs: moment(),
});
export type Member = Value<typeof Member>;

export const KnownPeer = Type.Object({ id: PeerId, addresses: Addresses });
/** A peer that the gate of the mesh lets in. */
export type KnownPeer = Value<typeof KnownPeer>;
