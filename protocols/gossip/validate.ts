import { WireError } from '../wire/error.ts';
import { decodeDigest, decodeNotice } from './codec.ts';
import { type CapacityNotice, type ClusterDigest, MAX_MESSAGE_BYTES } from './index.ts';

export type GossipVerdict<T> =
  | { readonly verdict: 'accept'; readonly message: T }
  /** Neither heeded nor passed on, and nobody is blamed: members learn of each other at different times. */
  | { readonly verdict: 'ignore' }
  /** Malformed, or its author speaks for somebody else. */
  | { readonly verdict: 'reject'; readonly reason: string };

/** Whether to heed a notice whose signature names `author`. */
export function judgeNotice(
  author: string,
  bytes: Uint8Array,
  isMember: (id: string) => boolean,
): GossipVerdict<CapacityNotice> {
  return judge(author, bytes, isMember, decodeNotice, (notice) => notice.node);
}

/** Whether to heed a digest whose signature names `author`. */
export function judgeDigest(
  author: string,
  bytes: Uint8Array,
  isMember: (id: string) => boolean,
): GossipVerdict<ClusterDigest> {
  return judge(author, bytes, isMember, decodeDigest, (digest) => digest.master);
}

function judge<T>(
  author: string,
  bytes: Uint8Array,
  isMember: (id: string) => boolean,
  decode: (bytes: Uint8Array) => T,
  speaker: (message: T) => string,
): GossipVerdict<T> {
  if (!isMember(author)) return { verdict: 'ignore' };
  if (bytes.length > MAX_MESSAGE_BYTES) return { verdict: 'reject', reason: 'too long' };
  try {
    const message = decode(bytes);
    if (speaker(message) !== author)
      return { verdict: 'reject', reason: 'its author speaks for another node' };
    return { verdict: 'accept', message };
  } catch (cause) {
    if (cause instanceof WireError) return { verdict: 'reject', reason: cause.message };
    throw cause;
  }
}
