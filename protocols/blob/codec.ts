import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { decodeMessage, malformed } from '../wire/message.ts';
import { narrow, wide } from '../wire/numbers.ts';
import { BlobReplySchema, BlobRequestSchema, FailureCode } from './blob_pb.ts';
import { type BlobFailure, isSha256 } from './index.ts';

export type BlobRequest =
  | { readonly type: 'push'; readonly sha256: string; readonly size: number }
  | { readonly type: 'fetch'; readonly sha256: string };

export type BlobReply =
  | { readonly type: 'proceed'; readonly size: number }
  | { readonly type: 'stored' }
  | { readonly type: 'failure'; readonly failure: BlobFailure };

export function encodeBlobRequest(request: BlobRequest): Uint8Array {
  const message =
    request.type === 'push'
      ? { case: 'push' as const, value: { sha256: request.sha256, size: wide(request.size) } }
      : { case: 'fetch' as const, value: { sha256: request.sha256 } };
  return toBinary(BlobRequestSchema, create(BlobRequestSchema, { request: message }));
}

/** @throws WireError MALFORMED; the name of a blob is always 64 lower-case hexadecimal digits */
export function decodeBlobRequest(bytes: Uint8Array): BlobRequest {
  const { request } = decodeMessage(BlobRequestSchema, bytes);
  if (request.case === undefined) throw malformed('the request');
  // The name becomes part of a path on the shelf.
  const { sha256 } = request.value;
  if (!isSha256(sha256)) throw malformed('the SHA-256');
  return request.case === 'push'
    ? { type: 'push', sha256, size: narrow(request.value.size) }
    : { type: 'fetch', sha256 };
}

export function encodeBlobReply(reply: BlobReply): Uint8Array {
  return toBinary(BlobReplySchema, create(BlobReplySchema, { reply: wireReply(reply) }));
}

function wireReply(reply: BlobReply): NonNullable<MessageInitShape<typeof BlobReplySchema>['reply']> {
  switch (reply.type) {
    case 'proceed':
      return { case: 'proceed', value: { size: wide(reply.size) } };
    case 'stored':
      return { case: 'stored', value: {} };
    case 'failure': {
      const { code, message } = reply.failure;
      return { case: 'failure', value: { code: FailureCode[code], message } };
    }
  }
}

/** @throws WireError MALFORMED */
export function decodeBlobReply(bytes: Uint8Array): BlobReply {
  const { reply } = decodeMessage(BlobReplySchema, bytes);
  switch (reply.case) {
    case 'proceed':
      return { type: 'proceed', size: narrow(reply.value.size) };
    case 'stored':
      return { type: 'stored' };
    case 'failure':
      return {
        type: 'failure',
        failure: { code: failureName(reply.value.code), message: reply.value.message },
      };
    default:
      throw malformed('the reply');
  }
}

function failureName(code: FailureCode): BlobFailure['code'] {
  if (code === FailureCode.MISSING) return 'MISSING';
  if (code === FailureCode.MISMATCH) return 'MISMATCH';
  if (code === FailureCode.DISK) return 'DISK';
  throw malformed('the failure code');
}
