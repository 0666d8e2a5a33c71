/** The mesh over libp2p: puts together the parts beside this file, and tells them who comes and goes. */
import type { GossipSub } from '@chainsafe/libp2p-gossipsub';
import type { Connection, Libp2p, PrivateKey } from '@libp2p/interface';
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id';
import type { BlobShelf } from '../../protocols/blob/index.ts';
import { FrameKind } from '../../protocols/link/index.ts';
import type { CapacityNotice, ClusterDigest } from '../../protocols/schema/capacity.ts';
import type { KnownPeer } from '../../protocols/schema/member.ts';
import { fail } from '../../protocols/schema/outcome.ts';
import type { PeerView } from '../../protocols/schema/views.ts';
import type { NodeId } from '../consensus/types.ts';
import { DialRules } from '../dial-rules.ts';
import type { Clock, Logger, Random } from '../ports.ts';
import { ConnectionWatch } from './connection-watch.ts';
import { NO_TOKEN } from './failures.ts';
import { Gate } from './gate.ts';
import { GossipGuard } from './gossip-guard.ts';
import { GossipPlane } from './gossip-plane.ts';
import { createGatedHost, dialMember } from './host.ts';
import { loadKey } from './key-file.ts';
import { limitStreams, STRANGER_LIMIT_MS } from './libp2p-settings.ts';
import { MemberCalls, STOPPED } from './member-calls.ts';
import type { MemberRegistrar } from './member-registrar.ts';
import { PeerTable, remoteAddress } from './peer-table.ts';
import { RaftLinks } from './raft-links.ts';
import { Redialer } from './redialer.ts';
import { Serving } from './serving.ts';
import { joinThrough } from './strangers.ts';
import { TimerScope } from './timer-scope.ts';
import { type Mesh, type MeshDoor, MeshError, type MeshHandlers, type MeshOptions } from './types.ts';

export interface Libp2pMeshDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly shelf: BlobShelf;
  readonly door: MeshDoor;
}

/** A mesh that isn't started yet, with the key of `options.keyFile`. @throws MeshError KEY_FILE */
export async function openMesh(
  options: MeshOptions,
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
  readonly call: Mesh['call'];
  readonly openHttp: Mesh['openHttp'];
  readonly pushBlob: Mesh['pushBlob'];
  readonly fetchBlob: Mesh['fetchBlob'];
  readonly #options: MeshOptions & { readonly privateKey: PrivateKey };
  readonly #deps: Libp2pMeshDependencies;
  readonly #dialRules: DialRules;
  readonly #timers: TimerScope;
  readonly #table: PeerTable;
  readonly #gate: Gate;
  readonly #guard: GossipGuard;
  readonly #links: RaftLinks;
  readonly #redialer: Redialer;
  readonly #watch: ConnectionWatch;
  #state: 'new' | 'running' | 'stopped' = 'new';
  #running: Running | null = null;
  #stopping: Promise<void> | null = null;

  constructor(
    options: MeshOptions & { readonly privateKey: PrivateKey },
    dependencies: Libp2pMeshDependencies,
  ) {
    const { logger, random, shelf } = dependencies;
    const clock = new TimerScope(dependencies.clock);
    this.#options = options;
    this.#dialRules = new DialRules({ listen: options.listen, allowed: options.allowDial ?? [] });
    this.#deps = { ...dependencies, clock };
    this.#timers = clock;
    this.id = peerIdFromPrivateKey(options.privateKey).toString();
    this.#table = new PeerTable({ self: this.id }, { clock });
    this.#gate = new Gate({ clock, isMember: (id) => this.#table.isMember(id) });
    this.#guard = new GossipGuard({
      clock,
      logger,
      authors: () => this.#table.members().length,
      onMute: (id, muted) => this.#onMute(id, muted),
    });
    const connection = (id: NodeId) => this.#table.connection(id);
    this.#links = new RaftLinks({ clock, logger, connection, onOpen: (id) => this.#watch.ping(id) });
    this.#redialer = new Redialer({ clock, random, dial: (id) => this.#dial(id) });
    this.#watch = new ConnectionWatch({
      clock,
      logger,
      table: this.#table,
      links: this.#links,
      registrar: () => this.#running?.registrar ?? null,
      isMuted: (id) => this.#guard.isMuted(id),
    });
    const calls = new MemberCalls(
      { self: this.id },
      {
        clock,
        logger,
        shelf,
        connection: (id) => (this.#table.isMember(id) ? connection(id) : null),
        handlers: () => this.#running?.handlers ?? null,
      },
    );
    this.call = calls.call;
    this.openHttp = calls.openHttp;
    this.pushBlob = calls.pushBlob;
    this.fetchBlob = calls.fetchBlob;
  }

  async start(handlers: MeshHandlers): Promise<void> {
    if (this.#state !== 'new') throw new MeshError('STATE', 'a mesh starts once');
    this.#state = 'running';
    const parts = {
      ...this.#deps,
      table: this.#table,
      gate: this.#gate,
      guard: this.#guard,
      links: this.#links,
      watch: this.#watch,
    };
    const { host, registrar } = await createGatedHost(this.#options, parts);
    host.addEventListener('connection:open', ({ detail }) => this.#onOpen(detail));
    host.addEventListener('connection:close', ({ detail }) => this.#onClose(detail));
    const onProved = (connection: Connection) => this.#beginJoining(connection);
    const own = { self: this.id };
    await new Serving(own, { ...parts, handlers, onProved }).register(host);
    const gossip = new GossipPlane({ ...parts, gossip: host.services.gossip, handlers });
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
    return this.#table.views((id) => this.#redialer.state(id));
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
      this.#gate.welcome(peer.id);
      for (const { connection } of peer.connections) limitStreams(connection, true);
      const connection = this.#table.connection(peer.id);
      if (connection === null) this.#redialer.chaseNow(peer.id);
      else this.#welcome(connection);
    }
    for (const peer of readdressed) {
      if (peer.connections.length === 0) this.#redialer.chaseNow(peer.id);
    }
  }

  sendRaftFrame(to: NodeId, frame: Uint8Array): void {
    this.#links.send(to, FrameKind.RAFT, frame);
  }

  publishCapacity(notice: CapacityNotice): void {
    this.#running?.gossip.publishCapacity(notice);
  }

  publishDigest(digest: ClusterDigest): void {
    this.#running?.gossip.publishDigest(digest);
  }

  readonly join: Mesh['join'] = async (target, request) => {
    if (this.#running === null) return fail({ code: 'UNREACHABLE', message: STOPPED.message });
    if (request.type === 'join' && this.#deps.door.credential === null) return fail(NO_TOKEN);
    const { host } = this.#running;
    const { clock } = this.#deps;
    const onBegin = (connection: Connection) => this.#beginJoining(connection);
    const rules = this.#options.trustedTargets?.includes(target) ? null : this.#dialRules;
    return joinThrough(target, request, this.#deps.door, { host, clock, rules, onBegin });
  };

  async #stop(): Promise<void> {
    this.#state = 'stopped';
    const host = this.#running?.host;
    this.#running = null;
    this.#watch.stop();
    this.#redialer.stop();
    this.#links.stop();
    // Closed politely, two nodes that stop together wait half a second for each other.
    for (const connection of host?.getConnections() ?? []) connection.abort(new Error('this node stops'));
    this.#timers.stop();
    await host?.stop();
  }

  #onOpen(connection: Connection): void {
    if (this.#state !== 'running' || connection.status !== 'open') return;
    const id = connection.remotePeer.toString();
    const first = this.#table.opened(connection);
    const isMember = this.#table.isMember(id);
    limitStreams(connection, isMember);
    if (!isMember) this.#limitStranger(connection);
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

  #onMute(id: NodeId, muted: boolean): void {
    const registrar = this.#running?.registrar;
    const connection = this.#table.connection(id);
    if (muted) registrar?.expel(peerIdFromString(id));
    else if (connection !== null && this.#table.isMember(id)) registrar?.admit(connection);
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
    try {
      await dialMember(host, peer, this.#dialRules);
      return true;
    } catch (error) {
      this.#deps.logger.debug({ peer: id, error }, 'dial failed');
      return false;
    }
  }
}
