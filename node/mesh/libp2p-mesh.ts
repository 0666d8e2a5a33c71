/**
 * The mesh over libp2p: puts together the parts beside this file. Longer than most because it implements the
 * whole of `Mesh`; nearly all of its methods hand on to one part.
 */
import { type Duplex, duplexPair } from 'node:stream';
import type { GossipSub } from '@chainsafe/libp2p-gossipsub';
import type { Connection, Libp2p, PrivateKey } from '@libp2p/interface';
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id';
import { FrameKind } from '../../protocols/link/index.ts';
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import type { NodeId } from '../consensus/types.ts';
import type { Cancel, Clock, Logger, Random } from '../ports.ts';
import { BanList, type BanOptions } from './ban-list.ts';
import { ConnectionWatch } from './connection-watch.ts';
import { createGatedHost } from './gated-host.ts';
import { GossipPlane } from './gossip-plane.ts';
import { joinThrough } from './joining.ts';
import { loadKey } from './key-file.ts';
import { STRANGER_LIMIT_MS } from './libp2p-settings.ts';
import { type CallOptions, MemberCalls } from './member-calls.ts';
import { dialMember } from './member-dialler.ts';
import type { MemberRegistrar } from './member-registrar.ts';
import { MeshError } from './mesh-error.ts';
import { PeerTable } from './peer-table.ts';
import { peerViews, remoteAddress } from './peer-view.ts';
import { RaftLinks } from './raft-links.ts';
import { Redialer } from './redialer.ts';
import { serveProtocols } from './serving.ts';
import { TimerScope } from './timer-scope.ts';
import type {
  BlobShelf,
  CapacityNotice,
  ClusterDigest,
  ControlRequest,
  ControlResponse,
  JoinFailure,
  JoinRequest,
  JoinResponse,
  KnownPeer,
  Mesh,
  MeshFailure,
  MeshHandlers,
  MeshOptions,
  PeerView,
} from './types.ts';

export interface Libp2pMeshOptions extends MeshOptions {
  readonly ban?: BanOptions;
}

export interface Libp2pMeshDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly shelf: BlobShelf;
}

const STOPPED: MeshFailure = { code: 'STOPPED', message: 'the mesh is not running' };

/** A mesh that isn't started yet, with the key of `options.keyFile`. @throws MeshError KEY_FILE */
export async function openMesh(
  options: Libp2pMeshOptions,
  dependencies: Libp2pMeshDependencies,
): Promise<Libp2pMesh> {
  return new Libp2pMesh({ ...options, privateKey: await loadKey(options.keyFile) }, dependencies);
}

interface Running {
  readonly host: Libp2p<{ gossip: GossipSub }>;
  readonly handlers: MeshHandlers;
  readonly gossip: GossipPlane;
  readonly registrar: MemberRegistrar;
}

export class Libp2pMesh implements Mesh {
  readonly id: NodeId;
  readonly #options: Libp2pMeshOptions & { readonly privateKey: PrivateKey };
  readonly #deps: Libp2pMeshDependencies;
  readonly #timers: TimerScope;
  readonly #table: PeerTable;
  readonly #bans: BanList;
  readonly #links: RaftLinks;
  readonly #redialer: Redialer;
  readonly #watch: ConnectionWatch;
  readonly #calls: MemberCalls;
  readonly #listeners = new Set<() => void>();
  #state: 'new' | 'running' | 'stopped' = 'new';
  #running: Running | null = null;
  #stopping: Promise<void> | null = null;

  constructor(
    options: Libp2pMeshOptions & { readonly privateKey: PrivateKey },
    dependencies: Libp2pMeshDependencies,
  ) {
    const { logger, random, shelf } = dependencies;
    const clock = new TimerScope(dependencies.clock);
    this.#options = options;
    this.#deps = { ...dependencies, clock };
    this.#timers = clock;
    this.id = peerIdFromPrivateKey(options.privateKey).toString();
    this.#table = new PeerTable({ self: this.id }, { clock });
    this.#bans = new BanList(options.ban ?? {}, { clock });
    const connection = (id: NodeId) => this.#table.connection(id);
    this.#links = new RaftLinks({ clock, logger, connection, onOpen: (id) => this.#watch.ping(id) });
    this.#redialer = new Redialer({ clock, random, dial: (id) => this.#dial(id) });
    this.#watch = new ConnectionWatch({
      clock,
      logger,
      table: this.#table,
      links: this.#links,
      registrar: () => this.#running?.registrar ?? null,
    });
    this.#calls = new MemberCalls({
      clock,
      shelf,
      connection: (id) => (this.#table.isMember(id) ? connection(id) : null),
    });
  }

  async start(handlers: MeshHandlers): Promise<void> {
    if (this.#state !== 'new') throw new MeshError('STATE', 'a mesh starts once');
    this.#state = 'running';
    const { host, registrar } = await createGatedHost(this.#options, {
      table: this.#table,
      bans: this.#bans,
    });
    host.addEventListener('connection:open', ({ detail }) => this.#onOpen(detail));
    host.addEventListener('connection:close', ({ detail }) => this.#onClose(detail));
    await serveProtocols(
      host,
      { self: this.id, token: this.#options.token },
      {
        ...this.#deps,
        handlers,
        table: this.#table,
        bans: this.#bans,
        links: this.#links,
        watch: this.#watch,
        onJoining: (connection) => this.#beginJoining(connection),
      },
    );
    const gossip = this.#createGossip(host.services.gossip, handlers);
    this.#running = { host, handlers, gossip, registrar };
    try {
      await host.start();
    } catch (cause) {
      await this.stop();
      throw new MeshError(
        'LISTEN',
        `can't listen on ${this.#options.listen}; choose another address or port, or stop what uses it`,
        { cause },
      );
    }
    this.#watch.start();
  }

  /** Nothing is reported to the handlers once this was called. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  addresses(): readonly string[] {
    const own = `/p2p/${this.id}`;
    const addresses = this.#running?.host.getMultiaddrs().map(String) ?? [];
    return addresses.map((address) => (address.endsWith(own) ? address.slice(0, -own.length) : address));
  }

  peers(): readonly PeerView[] {
    return peerViews(this.#table, this.#redialer);
  }

  setCluster(clusterId: string | null, members: readonly KnownPeer[]): void {
    if (this.#running === null || this.#state !== 'running') return;
    const { added, readdressed, removed } = this.#table.setMembers(members);
    this.#running.gossip.setCluster(clusterId);
    for (const peer of removed) {
      this.#redialer.forget(peer.id);
      this.#running.registrar.expel(peerIdFromString(peer.id));
      if (peer.connections.length > 0) this.#lost(peer.id);
      for (const { connection } of [...peer.connections]) this.#closeUnlessMember(connection);
    }
    for (const peer of added) {
      const connection = this.#table.connection(peer.id);
      if (connection === null) this.#redialer.chaseNow(peer.id);
      else this.#welcome(connection);
    }
    for (const peer of readdressed) {
      if (peer.connections.length === 0) this.#redialer.chaseNow(peer.id);
    }
    if (added.length + readdressed.length + removed.length > 0) this.#notify();
  }

  sendRaftFrame(to: NodeId, frame: Uint8Array): void {
    this.#links.send(to, FrameKind.RAFT, frame);
  }

  async call(
    to: NodeId,
    request: ControlRequest,
    options: CallOptions = {},
  ): Promise<Outcome<ControlResponse, MeshFailure>> {
    const running = this.#running;
    if (running === null) return fail(STOPPED);
    if (to === this.id) return this.#callSelf(running.handlers, request);
    return this.#calls.call(to, request, options);
  }

  async openHttp(to: NodeId): Promise<Outcome<Duplex, MeshFailure>> {
    if (this.#running === null) return fail(STOPPED);
    if (to !== this.id) return this.#calls.openHttp(to);
    const [near, far] = duplexPair();
    this.#running.handlers.onHttp(this.id, far);
    return succeed(near);
  }

  async pushBlob(to: NodeId, sha256: string): Promise<Outcome<void, MeshFailure>> {
    if (this.#running === null) return fail(STOPPED);
    return to === this.id ? this.#holds(sha256) : this.#calls.pushBlob(to, sha256);
  }

  async fetchBlob(from: NodeId, sha256: string): Promise<Outcome<void, MeshFailure>> {
    if (this.#running === null) return fail(STOPPED);
    return from === this.id ? this.#holds(sha256) : this.#calls.fetchBlob(from, sha256);
  }

  publishCapacity(notice: CapacityNotice): void {
    this.#running?.gossip.publishCapacity(notice);
  }

  publishDigest(digest: ClusterDigest): void {
    this.#running?.gossip.publishDigest(digest);
  }

  async join(
    target: string,
    request: JoinRequest,
  ): Promise<Outcome<{ readonly peer: NodeId; readonly response: JoinResponse }, JoinFailure>> {
    if (this.#running === null) return fail({ code: 'UNREACHABLE', message: STOPPED.message });
    const { host } = this.#running;
    const { clock } = this.#deps;
    const onBegin = (connection: Connection) => this.#beginJoining(connection);
    return joinThrough(target, request, { token: this.#options.token }, { host, clock, onBegin });
  }

  onPeersChanged(listener: () => void): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #stop(): Promise<void> {
    this.#state = 'stopped';
    const host = this.#running?.host;
    this.#running = null;
    this.#listeners.clear();
    this.#watch.stop();
    this.#redialer.stop();
    this.#links.stop();
    // Closed politely, two nodes that stop together wait half a second for each other.
    for (const connection of host?.getConnections() ?? []) connection.abort(new Error('this node stops'));
    this.#timers.stop();
    await host?.stop();
  }

  #createGossip(gossip: GossipSub, handlers: MeshHandlers): GossipPlane {
    return new GossipPlane({
      gossip,
      logger: this.#deps.logger,
      isMember: (id) => this.#table.isMember(id),
      onCapacity: (notice) => handlers.onCapacity(notice),
      onDigest: (digest) => handlers.onDigest(digest),
      onHeard: (relay, author) => {
        this.#table.heard(relay);
        if (author === null) return;
        this.#table.heard(author);
        this.#watch.gossiped(author);
      },
    });
  }

  #onOpen(connection: Connection): void {
    if (this.#state !== 'running' || connection.status !== 'open') return;
    const id = connection.remotePeer.toString();
    const first = this.#table.opened(connection);
    if (!this.#table.isMember(id)) this.#limitStranger(connection);
    else if (first) this.#welcome(connection);
  }

  #onClose(connection: Connection): void {
    const id = connection.remotePeer.toString();
    const last = this.#table.closed(connection);
    if (this.#state !== 'running') return;
    if (!this.#table.isMember(id)) {
      // Every `fsched inspect` is another id: libp2p would remember each for hours.
      if (last) this.#running?.host.peerStore.delete(connection.remotePeer).catch(() => {});
      return;
    }
    if (last) {
      this.#lost(id);
      this.#redialer.lost(id);
      return;
    }
    // Gossip may have gone over the one that closed; the link finds the other by itself.
    const other = this.#table.connection(id);
    if (other !== null) this.#running?.registrar.revive(other);
  }

  /** A member is connected, or who is connected has become a member. */
  #welcome(connection: Connection): void {
    const id = connection.remotePeer.toString();
    this.#redialer.reached(id);
    this.#table.heard(id);
    this.#running?.registrar.admit(connection);
    this.#links.keep(id);
    this.#deps.logger.info({ peer: id, address: remoteAddress(connection) }, 'member connected');
    this.#report(id, true);
  }

  #lost(id: NodeId): void {
    this.#links.drop(id);
    this.#watch.forget(id);
    this.#deps.logger.info({ peer: id }, 'member lost');
    this.#report(id, false);
  }

  /** Handlers are never called from inside one of the mesh's own methods. */
  #report(id: NodeId, connected: boolean): void {
    queueMicrotask(() => this.#running?.handlers.onPeerChange(id, connected));
    this.#notify();
  }

  #notify(): void {
    for (const listener of this.#listeners) queueMicrotask(listener);
  }

  #beginJoining(connection: Connection): () => void {
    const end = this.#table.beginJoining(connection.remotePeer.toString());
    return () => {
      end();
      // Time to become a member in.
      this.#limitStranger(connection);
    };
  }

  #limitStranger(connection: Connection): void {
    this.#deps.clock.after(STRANGER_LIMIT_MS, () => {
      const peer = this.#table.get(connection.remotePeer.toString());
      if (peer?.joining === 0) this.#closeUnlessMember(connection);
    });
  }

  #closeUnlessMember(connection: Connection): void {
    if (this.#table.isMember(connection.remotePeer.toString()) || connection.status !== 'open') return;
    connection.abort(new Error('the peer is no member'));
  }

  async #dial(id: NodeId): Promise<boolean> {
    const host = this.#running?.host;
    const peer = this.#table.get(id);
    if (host === undefined || peer === undefined) return false;
    return dialMember(host, peer, this.#deps);
  }

  async #callSelf(
    handlers: MeshHandlers,
    request: ControlRequest,
  ): Promise<Outcome<ControlResponse, MeshFailure>> {
    try {
      return succeed(await handlers.onControl(this.id, request));
    } catch (cause) {
      this.#deps.logger.error({ request: request.type, error: cause }, 'handling a call failed');
      return fail({ code: 'REFUSED', message: 'this node failed to handle the call' });
    }
  }

  async #holds(sha256: string): Promise<Outcome<void, MeshFailure>> {
    if (await this.#deps.shelf.has(sha256)) return succeed(undefined);
    return fail({ code: 'REFUSED', message: `this node doesn't hold the blob ${sha256}` });
  }
}
