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
import type { ConnectionWatch } from './connection-watch.ts';
import type { GossipGuard } from './gossip-guard.ts';
import { allowTopics } from './libp2p-settings.ts';
import type { PeerTable } from './peer-table.ts';
import type { MeshHandlers } from './types.ts';

export interface GossipPlaneDependencies {
  readonly gossip: GossipSub;
  readonly logger: Logger;
  readonly table: PeerTable;
  readonly watch: Pick<ConnectionWatch, 'gossiped'>;
  readonly guard: GossipGuard;
  readonly handlers: Pick<MeshHandlers, 'onCapacity' | 'onDigest'>;
}

export class GossipPlane {
  readonly #deps: GossipPlaneDependencies;
  #clusterId: string | null = null;

  constructor(dependencies: GossipPlaneDependencies) {
    this.#deps = dependencies;
  }

  setCluster(clusterId: string | null): void {
    if (clusterId === this.#clusterId) return;
    const { gossip, handlers } = this.#deps;
    for (const topic of gossip.getTopics()) {
      gossip.unsubscribe(topic);
      gossip.topicValidators.delete(topic);
    }
    this.#clusterId = clusterId;
    allowTopics(gossip, clusterId === null ? [] : [capacityTopic(clusterId), digestTopic(clusterId)]);
    if (clusterId === null) return;
    this.#listen(capacityTopic(clusterId), judgeNotice, (notice) => handlers.onCapacity(notice));
    this.#listen(digestTopic(clusterId), judgeDigest, (digest) => handlers.onDigest(digest));
  }

  publishCapacity(notice: CapacityNotice): void {
    this.#publish(capacityTopic, CapacityNotice, notice);
  }

  publishDigest(digest: ClusterDigest): void {
    this.#publish(digestTopic, ClusterDigest, digest);
  }

  /** What can't be sent is dropped: the next one replaces it. */
  #publish<S extends TSchema>(topicOf: (clusterId: string) => string, schema: S, message: Value<S>): void {
    if (this.#clusterId === null) return;
    const { gossip, guard, logger } = this.#deps;
    const topic = topicOf(this.#clusterId);
    try {
      const bytes = encode(schema, message);
      if (bytes.length > MAX_MESSAGE_BYTES) throw new Error(`its ${bytes.length} bytes are over the limit`);
      if (!guard.maySay(bytes.length)) return;
      gossip
        .publish(topic, bytes)
        .catch((error: Error) => logger.debug({ topic, error }, 'gossip not published'));
    } catch (error) {
      logger.error({ topic, error }, 'gossip message dropped');
    }
  }

  /**
   * Whatever passes the validator is delivered by it: gossipsub calls it once for each message, but forgets it after
   * two minutes, and then anybody may play it again. So an author pays for what it brings itself and for what was news;
   * what others bring of it that is none is at their expense, and goes no further.
   */
  #listen<T>(
    topic: string,
    judge: (author: NodeId, bytes: Uint8Array, isMember: (id: NodeId) => boolean) => GossipVerdict<T>,
    deliver: (message: T) => boolean,
  ): void {
    const { gossip, guard, logger, table, watch } = this.#deps;
    gossip.topicValidators.set(topic, (relay: PeerId, message: Message) => {
      if (message.type !== 'signed') return TopicValidatorResult.Reject;
      const author = message.from.toString();
      const bytes = message.data.length;
      const isOwn = relay.toString() === author;
      // Of the author only if it came from there: what others bring tells nothing of the connection to it.
      table.heard(relay.toString());
      guard.brought(relay.toString(), bytes);
      if (guard.isMuted(relay.toString())) return TopicValidatorResult.Ignore;
      if (isOwn && table.isMember(author) && !guard.mayHear(author, bytes))
        return TopicValidatorResult.Ignore;
      const verdict = judge(author, message.data, (id) => table.isMember(id));
      if (verdict.verdict === 'ignore') return TopicValidatorResult.Ignore;
      if (verdict.verdict === 'reject') {
        if (guard.mayLog(author)) logger.warn({ topic, author, reason: verdict.reason }, 'gossip rejected');
        // Who only passed it on may be of a version that takes it.
        return isOwn ? TopicValidatorResult.Reject : TopicValidatorResult.Ignore;
      }
      watch.gossiped(author);
      let isNews = false;
      try {
        isNews = deliver(verdict.message);
      } catch (error) {
        logger.error({ topic, author, error }, 'handling gossip failed');
      }
      if (!isNews) {
        // Once more: an honest neighbour rarely does that.
        if (!isOwn) guard.brought(relay.toString(), bytes);
        return TopicValidatorResult.Ignore;
      }
      if (!isOwn && !guard.mayHear(author, bytes)) return TopicValidatorResult.Ignore;
      return TopicValidatorResult.Accept;
    });
    gossip.subscribe(topic);
  }
}
