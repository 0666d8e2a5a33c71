/**
 * Gossip: `CapacityNotice` and `ClusterDigest`, which are always being replaced. Each is signed by its author
 * (gossipsub's StrictSign) and is heeded only when the author is a member and speaks for itself; a hint, never a
 * decision.
 *
 * Keep the messages small and coalesced: gossipsub sends without back-pressure.
 */
import type { TSchema } from 'typebox';
import { CapacityNotice, ClusterDigest } from '../schema/capacity.ts';
import type { Value } from '../schema/fields.ts';
import { decode } from '../wire/codec.ts';
import { WireError } from '../wire/error.ts';

/** Longest message that is sent or heeded: 1,024 runs need some 120 KiB. */
export const MAX_MESSAGE_BYTES = 512 * 1024;

export const capacityTopic = (clusterId: string): string => `fsched/1/${clusterId}/capacity`;
export const digestTopic = (clusterId: string): string => `fsched/1/${clusterId}/digest`;

export type GossipVerdict<T> =
  | { readonly verdict: 'accept'; readonly message: T }
  /** Neither heeded nor passed on, and nobody is blamed: members learn of each other at different times. */
  | { readonly verdict: 'ignore' }
  /** Malformed, or its author speaks for somebody else. */
  | { readonly verdict: 'reject'; readonly reason: string };

/** Whether to heed a message whose signature names `author`. */
type Judge<T> = (author: string, bytes: Uint8Array, isMember: (id: string) => boolean) => GossipVerdict<T>;

export const judgeNotice: Judge<CapacityNotice> = judgeBy(CapacityNotice, ({ node }) => node);
export const judgeDigest: Judge<ClusterDigest> = judgeBy(ClusterDigest, ({ master }) => master);

function judgeBy<S extends TSchema>(schema: S, speaker: (message: Value<S>) => string): Judge<Value<S>> {
  return (author, bytes, isMember) => {
    if (!isMember(author)) return { verdict: 'ignore' };
    if (bytes.length > MAX_MESSAGE_BYTES) return { verdict: 'reject', reason: 'too long' };
    try {
      const message = decode(schema, bytes);
      if (speaker(message) !== author)
        return { verdict: 'reject', reason: 'its author speaks for another node' };
      return { verdict: 'accept', message };
    } catch (cause) {
      if (cause instanceof WireError) return { verdict: 'reject', reason: cause.message };
      throw cause;
    }
  };
}
