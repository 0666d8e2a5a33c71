/**
 * A peer that means harm: written on libp2p, it sends what no daemon would. It is a stranger, or a genuine member: a
 * daemon that joined with the right token and whose key then fell into wrong hands.
 */
import { join } from 'node:path';
import { type GossipSub, gossipsub } from '@chainsafe/libp2p-gossipsub';
import { noise } from '@chainsafe/libp2p-noise';
import { yamux } from '@chainsafe/libp2p-yamux';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { identify } from '@libp2p/identify';
import type { Connection, Libp2p, PrivateKey, Stream } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { multiaddr } from '@multiformats/multiaddr';
import { encode as encodeCbor } from 'cborg';
import { createLibp2p } from 'libp2p';
import { loadKey } from '../../node/mesh/key-file.ts';
import { CONTROL_PROTOCOL, MAX_FRAME_BYTES } from '../../protocols/control/index.ts';
import { decodeAny } from '../../protocols/wire/codec.ts';
import { StreamReader } from '../../protocols/wire/reader.ts';
import { writeFrame } from '../../protocols/wire/writer.ts';
import type { DaemonProcess, TestCluster } from '../support/daemon-process.ts';

/** Some streams are left open on purpose: it is not waited for their end. */
const PATIENCE_MS = 2_000;

/** What came back: a message, or that the stream was thrown away. */
export type Reply = { readonly type: string; readonly code?: string } | null;

export class HostilePeer implements AsyncDisposable {
  readonly host: Libp2p<{ gossip: GossipSub; identify: unknown }>;

  private constructor(host: Libp2p<{ gossip: GossipSub; identify: unknown }>) {
    this.host = host;
  }

  static async stranger(): Promise<HostilePeer> {
    return HostilePeer.#with(await generateKeyPair('Ed25519'));
  }

  /** Joins as a daemon does, and goes on as somebody else with its key. */
  static async member(cluster: TestCluster): Promise<HostilePeer> {
    const daemon = await cluster.join();
    await daemon.kill('SIGKILL');
    return HostilePeer.#with(await loadKey(join(daemon.dataDir, 'peer-key')));
  }

  static async #with(privateKey: PrivateKey): Promise<HostilePeer> {
    const host = await createLibp2p<{ gossip: GossipSub; identify: unknown }>({
      privateKey,
      addresses: { listen: [] },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux({ maxInboundStreams: 4096, maxOutboundStreams: 4096, maxEarlyStreams: 4096 })],
      connectionManager: { reconnectRetries: 0 },
      services: {
        identify: identify(),
        gossip: gossipsub({ allowPublishToZeroTopicPeers: true, floodPublish: true }) as never,
      },
    });
    return new HostilePeer(host);
  }

  get id(): string {
    return this.host.peerId.toString();
  }

  /** A connection of its own, however many there are. */
  dial(node: DaemonProcess): Promise<Connection> {
    return this.host.dial(multiaddr(node.mesh), { force: true });
  }

  async open(connection: Connection, protocol: string): Promise<Stream> {
    return connection.newStream(protocol, { signal: AbortSignal.timeout(10_000), maxOutboundStreams: 4096 });
  }

  /** Sends bytes as they are, and says no more; resolves when the other end has had enough of it, or soon. */
  async send(connection: Connection, protocol: string, bytes: Uint8Array): Promise<void> {
    const stream = await this.open(connection, protocol).catch(() => null);
    if (stream === null) return;
    const over = new Promise<void>((resolve) => {
      setTimeout(resolve, PATIENCE_MS).unref();
      stream.addEventListener('close', () => resolve());
      stream.addEventListener('remoteCloseWrite', () => resolve());
      stream.addEventListener('message', () => resolve());
    });
    try {
      stream.send(bytes);
      await stream.close({ signal: AbortSignal.timeout(PATIENCE_MS) });
      if (stream.status === 'open' || stream.status === 'closing') await over;
    } catch {
      // It was thrown away meanwhile.
    }
    if (stream.status === 'open') stream.abort(new Error('that was all'));
  }

  /** One message, which need not be one, and its answer. */
  async ask(connection: Connection, protocol: string, message: unknown): Promise<Reply> {
    try {
      const stream = await this.open(connection, protocol);
      const reader = new StreamReader(stream);
      await writeFrame(stream, encodeCbor(message));
      return decodeAny(await reader.expectFrame(MAX_FRAME_BYTES)) as Reply;
    } catch {
      return null;
    }
  }

  call(connection: Connection, request: unknown): Promise<Reply> {
    return this.ask(connection, CONTROL_PROTOCOL, request);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.host.getConnections()) connection.abort(new Error('gone'));
    await this.host.stop();
  }
}
