import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { decodeMessage, malformed } from '../wire/message.ts';
import type { JoinRequest, JoinResponse, KnownPeer, NewMember } from './index.ts';
import {
  ClusterSchema,
  JoinRequestSchema,
  JoinResponseSchema,
  KnownPeerSchema,
  NewMemberSchema,
  type Cluster as WireCluster,
  type NewMember as WireMember,
} from './join_pb.ts';

export function encodeJoinRequest(request: JoinRequest): Uint8Array {
  const message =
    request.type === 'join'
      ? { case: 'join' as const, value: wireMember(request.member) }
      : { case: 'invite' as const, value: wireCluster(request) };
  return toBinary(JoinRequestSchema, create(JoinRequestSchema, { request: message }));
}

/** @throws WireError MALFORMED */
export function decodeJoinRequest(bytes: Uint8Array): JoinRequest {
  const { request } = decodeMessage(JoinRequestSchema, bytes);
  switch (request.case) {
    case 'join':
      return { type: 'join', member: plainMember(request.value) };
    case 'invite':
      return { type: 'invite', ...plainCluster(request.value) };
    default:
      throw malformed('the request');
  }
}

export function encodeJoinResponse(response: JoinResponse): Uint8Array {
  return toBinary(JoinResponseSchema, create(JoinResponseSchema, { response: wireResponse(response) }));
}

function wireResponse(
  response: JoinResponse,
): NonNullable<MessageInitShape<typeof JoinResponseSchema>['response']> {
  switch (response.type) {
    case 'admitted':
      return { case: 'admitted', value: wireCluster(response) };
    case 'accepted':
      return { case: 'accepted', value: wireMember(response.member) };
    case 'refused':
      return { case: 'refused', value: { code: response.code, message: response.message } };
  }
}

/** @throws WireError MALFORMED */
export function decodeJoinResponse(bytes: Uint8Array): JoinResponse {
  const { response } = decodeMessage(JoinResponseSchema, bytes);
  switch (response.case) {
    case 'admitted':
      return { type: 'admitted', ...plainCluster(response.value) };
    case 'accepted':
      return { type: 'accepted', member: plainMember(response.value) };
    case 'refused':
      return { type: 'refused', code: response.value.code, message: response.value.message };
    default:
      throw malformed('the response');
  }
}

function wireMember(member: NewMember) {
  const { id, name, addresses } = member;
  return create(NewMemberSchema, { id, name, addresses: [...addresses] });
}

function plainMember(member: WireMember): NewMember {
  return { id: member.id, name: member.name, addresses: member.addresses };
}

function wireCluster(cluster: { readonly clusterId: string; readonly members: readonly KnownPeer[] }) {
  return create(ClusterSchema, {
    clusterId: cluster.clusterId,
    members: cluster.members.map(({ id, addresses }) =>
      create(KnownPeerSchema, { id, addresses: [...addresses] }),
    ),
  });
}

function plainCluster(cluster: WireCluster) {
  return {
    clusterId: cluster.clusterId,
    members: cluster.members.map(({ id, addresses }) => ({ id, addresses })),
  };
}
