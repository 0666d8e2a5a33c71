/** Publishes to and listens on the cluster's two topics. */
import { type GossipSub, type Message, TopicValidatorResult } from '@chainsafe/libp2p-gossipsub';
import type { PeerId } from '@libp2p/interface';
import type { TSchema } from 'typebox';
import {
  capacityTopic,
  digestTopic,
  type GossipVerdict,
  judgeDigest,
  judgeNotice,
  MAX_MESSAGE_BYTES,
} from '../../protocols/gossip/index.ts';
import { CapacityNotice, ClusterDigest } from '../../protocols/schema/capacity.ts';
import type { Value } from '../../protocols/schema/fields.ts';
import { encode } from '../../protocols/wire/codec.ts';
import type { NodeId } from '../consensus/types.ts';
import type { Logger } from '../ports.ts';

export interface GossipPlaneDependencies {
  readonly gossip: GossipSub;
  readonly logger: Logger;
  readonly isMember: (id: NodeId) => boolean;
  readonly onCapacity: (notice: CapacityNotice) => void;
  readonly onDigest: (digest: ClusterDigest) => void;
  /** Bytes came from `relay`, and what they say is `author`'s (null: it wasn't heeded). */
  readonly onHeard: (relay: NodeId, author: NodeId | null) => void;
}

export class GossipPlane {
  readonly #deps: GossipPlaneDependencies;
  #clusterId: string | null = null;

  constructor(dependencies: GossipPlaneDependencies) {
    this.#deps = dependencies;
  }

  setCluster(clusterId: string | null): void {
    if (clusterId === this.#clusterId) return;
    const { gossip, isMember, onCapacity, onDigest } = this.#deps;
    if (this.#clusterId !== null) {
      for (const topic of [capacityTopic(this.#clusterId), digestTopic(this.#clusterId)]) {
        gossip.unsubscribe(topic);
        gossip.topicValidators.delete(topic);
      }
    }
    this.#clusterId = clusterId;
    if (clusterId === null) return;
    this.#listen(
      capacityTopic(clusterId),
      (author, bytes) => judgeNotice(author, bytes, isMember),
      onCapacity,
    );
    this.#listen(digestTopic(clusterId), (author, bytes) => judgeDigest(author, bytes, isMember), onDigest);
  }

  publishCapacity(notice: CapacityNotice): void {
    if (this.#clusterId !== null) this.#publish(capacityTopic(this.#clusterId), CapacityNotice, notice);
  }

  publishDigest(digest: ClusterDigest): void {
    if (this.#clusterId !== null) this.#publish(digestTopic(this.#clusterId), ClusterDigest, digest);
  }

  /** What can't be sent is dropped: the next one replaces it. */
  #publish<S extends TSchema>(topic: string, schema: S, message: Value<S>): void {
    const { gossip, logger } = this.#deps;
    try {
      const bytes = encode(schema, message);
      if (bytes.length > MAX_MESSAGE_BYTES) throw new Error(`its ${bytes.length} bytes are over the limit`);
      gossip
        .publish(topic, bytes)
        .catch((error: Error) => logger.debug({ topic, error }, 'gossip not published'));
    } catch (error) {
      logger.error({ topic, error }, 'gossip message dropped');
    }
  }

  /** Whatever passes the validator is delivered by it: gossipsub calls it once for each message. */
  #listen<T>(
    topic: string,
    judge: (author: NodeId, bytes: Uint8Array) => GossipVerdict<T>,
    deliver: (message: T) => void,
  ): void {
    const { gossip, logger, onHeard } = this.#deps;
    gossip.topicValidators.set(topic, (relay: PeerId, message: Message) => {
      if (message.type !== 'signed') return TopicValidatorResult.Reject;
      const author = message.from.toString();
      const verdict = judge(author, message.data);
      onHeard(relay.toString(), verdict.verdict === 'accept' ? author : null);
      if (verdict.verdict === 'ignore') return TopicValidatorResult.Ignore;
      if (verdict.verdict === 'reject') {
        logger.warn({ topic, author, reason: verdict.reason }, 'gossip rejected');
        return TopicValidatorResult.Reject;
      }
      try {
        deliver(verdict.message);
      } catch (error) {
        logger.error({ topic, author, error }, 'handling gossip failed');
      }
      return TopicValidatorResult.Accept;
    });
    gossip.subscribe(topic);
  }
}
