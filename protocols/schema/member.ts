/** Members, and what a node must know of one to reach it. */
import Type from 'typebox';
import { Addresses, moment, name, PeerId, type Value } from './fields.ts';

export const NewMember = Type.Object({ id: PeerId, name: name(64), addresses: Addresses });
/** A node that wants to be a member, or whose name or addresses have changed. */
export type NewMember = Value<typeof NewMember>;

export const Member = Type.Object({ ...NewMember.properties, joinedAtMs: moment() });
export type Member = Value<typeof Member>;

export const KnownPeer = Type.Object({ id: PeerId, addresses: Addresses });
/** A peer that the gate of the mesh lets in. */
export type KnownPeer = Value<typeof KnownPeer>;
