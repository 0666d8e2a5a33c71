/**
 * Every setting of libp2p that isn't its default, with the reason. The defaults are made for the open
 * Internet, where peers are many and strangers; a cluster is 3 to 200 machines that trust each other and
 * that often sit behind one IP address.
 */
import { type GossipSub, type GossipSubComponents, gossipsub } from '@chainsafe/libp2p-gossipsub';
import type { TopicScoreParams } from '@chainsafe/libp2p-gossipsub/score';
import { noise } from '@chainsafe/libp2p-noise';
import { yamux } from '@chainsafe/libp2p-yamux';
import { identify } from '@libp2p/identify';
import type { Connection, ConnectionGater, Libp2p, PrivateKey } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { createLibp2p } from 'libp2p';

/** A connection of a peer that is no member is closed after so long unless it joins. */
export const STRANGER_LIMIT_MS = 10_000;
/** Connections of strangers at a time; more make the oldest give way, so that they can't fill the memory. */
export const MAX_STRANGERS = 64;
/** Connections at a time whose peer isn't known yet; more make the oldest give way. */
export const MAX_HANDSHAKES = 256;
/** Streams that a stranger may have open on a connection: it proves a token, and is identified. */
export const STRANGER_STREAMS = 16;
const MEMBER_STREAMS = 4096;
/** Time to reach, through Noise, what a caller of the API named: silence must not last longer than a refusal. */
export const STRANGER_DIAL_LIMIT_MS = 3000;
/** How often idle connections are pinged and looked over. */
export const WATCH_PERIOD_MS = 5000;

/** Streams of one protocol that are open at a time over one connection; libp2p allows 32 in and 64 out. */
export const STREAM_LIMITS = {
  /** A master calls a worker for each of its runs, after a restart for all of them at once. */
  control: { maxInboundStreams: 512, maxOutboundStreams: 512 },
  /** One, and its successor while the old one is being torn down. */
  link: { maxInboundStreams: 4, maxOutboundStreams: 4 },
  blob: { maxInboundStreams: 64, maxOutboundStreams: 64 },
  /** One for each REST request that a node forwards, and followed output stays open. */
  http: { maxInboundStreams: 1024, maxOutboundStreams: 1024 },
  /** Strangers may open these: as few as do. */
  join: { maxInboundStreams: 2, maxOutboundStreams: 2 },
  inspect: { maxInboundStreams: 2, maxOutboundStreams: 2 },
} as const;

const connectionManager = {
  // Beyond it whoever comes is refused: gate.ts bounds those of each peer long before.
  maxConnections: 2048,
  // The default, 5 a second from one host, refuses a cluster on one host that starts at once.
  inboundConnectionThreshold: 1000,
  // The default is 10, for the same reason too few. Our gate makes room long before (gate.ts): here is refused.
  maxIncomingPendingConnections: 2 * MAX_HANDSHAKES,
  // Its redial gives up after five tries; ours (redialer.ts) doesn't, and two would dial against each other.
  reconnectRetries: 0,
  // One dead address of several must not use up the time of the others.
  addressDialTimeout: 3000,
  dialTimeout: 10_000,
  inboundUpgradeTimeout: 10_000,
};

/** Bytes that may be on their way on one stream. */
const STREAM_WINDOW_BYTES = 1024 * 1024;

const muxer = yamux({
  // Its ping has no limit of time; ours (connection-watch.ts) finds a dead peer and keeps links from idling.
  enableKeepAlive: false,
  maxInboundStreams: MEMBER_STREAMS,
  maxOutboundStreams: MEMBER_STREAMS,
  // Streams that come before this end has finished its handshake. With the default, 10, a master that calls
  // a worker a dozen times in the moment that it connects has the whole connection torn down.
  maxEarlyStreams: 1024,
  streamOptions: {
    initialStreamWindowSize: STREAM_WINDOW_BYTES,
    // By default the window grows to 16 MiB, but a paused reader may hold 4 MiB before its stream is reset:
    // a slow disk would break a fast upload. The window stays below what may be held.
    maxStreamWindowSize: STREAM_WINDOW_BYTES,
    maxReadBufferLength: 4 * STREAM_WINDOW_BYTES,
  },
});

/**
 * Bounds the streams that the peer of an open connection may open. Libp2p has one bound for all connections: this
 * reaches for its muxer, of which its types tell nothing.
 */
export function limitStreams(connection: Connection, isMember: boolean): void {
  const { muxer } = connection as Connection & { readonly muxer?: { maxInboundStreams?: number } };
  if (muxer?.maxInboundStreams === undefined) throw new Error('libp2p has another muxer than before');
  muxer.maxInboundStreams = isMember ? MEMBER_STREAMS : STRANGER_STREAMS;
  if (!isMember && connection.streams.length > STRANGER_STREAMS) {
    connection.abort(new Error('a stranger opens too many streams'));
  }
}

/** Nothing counts but messages that are forged or nonsense: ten a second, and nothing of their bearer is read. */
const TOPIC_SCORE: TopicScoreParams = {
  topicWeight: 1,
  timeInMeshWeight: 0,
  timeInMeshQuantum: 1000,
  timeInMeshCap: 1,
  firstMessageDeliveriesWeight: 0,
  firstMessageDeliveriesDecay: 0.5,
  firstMessageDeliveriesCap: 1,
  meshMessageDeliveriesWeight: 0,
  meshMessageDeliveriesDecay: 0.5,
  meshMessageDeliveriesCap: 1,
  meshMessageDeliveriesThreshold: 1,
  meshMessageDeliveriesWindow: 0,
  meshMessageDeliveriesActivation: 60_000,
  meshFailurePenaltyWeight: 0,
  meshFailurePenaltyDecay: 0.5,
  invalidMessageDeliveriesWeight: -1,
  invalidMessageDeliveriesDecay: 0.5,
};

/**
 * Messages of other topics aren't looked at. Which topics there are is known only once a node is in a cluster, but
 * gossipsub would know at its making: this reaches for what its types don't tell.
 */
export function allowTopics(gossip: GossipSub, topics: readonly string[]): void {
  const { allowedTopics, score } = gossip as unknown as {
    readonly allowedTopics: Set<string>;
    readonly score: { readonly params: { readonly topics: Record<string, TopicScoreParams> } };
  };
  allowedTopics.clear();
  for (const topic of topics) {
    allowedTopics.add(topic);
    score.params.topics[topic] = TOPIC_SCORE;
  }
}

const gossipOptions = {
  // Filled by `allowTopics`.
  allowedTopics: [] as string[],
  // Each message comes from several neighbours: those that came already are known before their signature is checked.
  fastMsgIdFn: ({ signature }: { readonly signature?: Uint8Array }) =>
    Buffer.from(signature ?? []).toString('latin1'),
  // Publishes to a node's neighbours in the topic's mesh, not to all: 200 nodes with a heartbeat each must
  // not send 200 copies each. Small clusters are fully meshed anyway.
  floodPublish: false,
  // A cluster of one publishes to nobody, and that is no error.
  allowPublishToZeroTopicPeers: true,
  emitSelf: false,
  fallbackToFloodsub: false,
  // Members are told of each other by the cluster's own tables.
  doPX: false,
  tagMeshPeers: false,
  scoreParams: {
    // By default more than ten nodes on one address are punished until they are ignored.
    IPColocationFactorWeight: 0,
    // Members proved the token: a node that is slow under load must not be shunned for it.
    behaviourPenaltyWeight: 0,
  },
  // Outbound gossip has no back-pressure: a neighbour that takes nothing is cut off here, and reconnected.
  maxOutboundBufferSize: 8 * 1024 * 1024,
  // The longest message and its envelope; a fleet's control messages fit easily.
  maxInboundDataLength: 1024 * 1024,
};

export interface HostOptions {
  readonly privateKey: PrivateKey;
  /** Multiaddrs; empty: dials only. */
  readonly listen: readonly string[];
  readonly gater: ConnectionGater;
}

/** Identify, which strangers may use, is all that a dialling program needs. */
export function createDialler(privateKey: PrivateKey): Promise<Libp2p> {
  return createLibp2p({
    ...common({ privateKey, listen: [], gater: {} }),
    services: { identify: identify({ runOnConnectionOpen: false }) },
  });
}

/** A host that isn't started yet. `gossipComponents` may stand between gossipsub and libp2p. */
export function createHost(
  options: HostOptions,
  gossipComponents: (components: GossipSubComponents) => GossipSubComponents,
): Promise<Libp2p<{ gossip: GossipSub }>> {
  return createLibp2p({
    ...common(options),
    services: {
      identify: identify(),
      gossip: (components: GossipSubComponents) => gossipsub(gossipOptions)(gossipComponents(components)),
    },
  });
}

function common(options: HostOptions) {
  return {
    start: false,
    privateKey: options.privateKey,
    // Strangers may ask for it: tells what this is, and not which versions of what it is made of.
    nodeInfo: { name: 'fsched', userAgent: 'fsched' },
    addresses: { listen: [...options.listen] },
    // A socket that is silent for 30 s although it is pinged every 5 s is dead; the default is 120 s.
    transports: [tcp({ inboundSocketInactivityTimeout: 30_000, outboundSocketInactivityTimeout: 30_000 })],
    connectionEncrypters: [noise()],
    streamMuxers: [muxer],
    connectionGater: options.gater,
    connectionManager,
    // It would ping strangers too, and its limit adapts up to a minute: connection-watch.ts does it.
    connectionMonitor: { enabled: false },
  };
}
