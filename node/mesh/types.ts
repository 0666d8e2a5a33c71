/**
 * What the rest of the daemon sees of the mesh: who is a member, frames and calls between members, gossip,
 * byte streams. The libp2p adapter stands in `libp2p-mesh.ts`.
 */
import type { Duplex } from 'node:stream';
import type { PushGate } from '../../protocols/blob/index.ts';
import type { JoinAnswer } from '../../protocols/join/client.ts';
import type { LookUp, TokenCredential } from '../../protocols/proof/index.ts';
import type { CapacityNotice, ClusterDigest } from '../../protocols/schema/capacity.ts';
import type { KnownPeer } from '../../protocols/schema/member.ts';
import type {
  ControlRequest,
  ControlResponse,
  JoinRequest,
  JoinResponse,
  ProofRefusal,
  ShownProof,
} from '../../protocols/schema/messages.ts';
import type { Outcome } from '../../protocols/schema/outcome.ts';
import type { TokenId } from '../../protocols/schema/token.ts';
import type { Inspection, PeerView } from '../../protocols/schema/views.ts';
import type { NodeId } from '../consensus/types.ts';

/** Why a call to a peer came to nothing. */
export interface MeshFailure {
  readonly code: 'UNREACHABLE' | 'TIMEOUT' | 'REFUSED' | 'PROTOCOL' | 'STOPPED';
  readonly message: string;
}

/** Why a join or invitation failed before it was answered. */
export interface JoinFailure {
  /** Who refused; absent when it isn't known who answers. */
  readonly peer?: NodeId;
  readonly code: 'UNREACHABLE' | 'TIMEOUT' | ProofRefusal | 'PROTOCOL' | 'SELF' | 'FORBIDDEN';
  readonly message: string;
}

export interface JoinOutcome extends JoinAnswer {
  readonly peer: NodeId;
}

/** What a node that this one does not know yet may prove itself by. */
export interface MeshDoor {
  /** By which this node joins, and is called in; null: it has no token. */
  readonly credential: TokenCredential | null;
  /** What is known of a join token that `bearer` shows, or has been asked for. */
  known(id: TokenId, bearer: NodeId): ReturnType<LookUp>;
}

export interface MeshHandlers {
  /** Which blobs may be pushed to this node. */
  readonly pushGate: PushGate;
  onRaftFrame(from: NodeId, frame: Uint8Array): void;
  onControl(from: NodeId, request: ControlRequest): Promise<ControlResponse>;
  /** A byte stream from a member that speaks HTTP to our REST server. */
  onHttp(from: NodeId, stream: Duplex): void;
  /** These tell whether it was news: nothing else is passed on. */
  onCapacity(notice: CapacityNotice): boolean;
  onDigest(digest: ClusterDigest): boolean;
  /** The peer has proved a join token, by `proof`; null: it is a member of a cluster that knows this node's token. */
  onJoin(from: NodeId, request: JoinRequest, proof: ShownProof | null): Promise<JoinResponse>;
  /** This node's own view, for `fsched inspect`. */
  onInspect(): Inspection;
  /** A member connected or was lost. */
  onPeerChange(id: NodeId, connected: boolean): void;
}

export interface MeshOptions {
  readonly listen: string;
  /** Networks (CIDR) that are dialled although no member should be there. @default [] */
  readonly allowDial?: readonly string[];
  /** Targets that this node's operator wrote: dialled wherever they are. @default [] */
  readonly trustedTargets?: readonly string[];
  /** Where the key of this node's peer id is kept (created with mode 0600 when missing). */
  readonly keyFile: string;
}

/** Thrown where the mesh can't start; everything that may happen later is a value. */
export class MeshError extends Error {
  override readonly name = 'MeshError';
  readonly code: 'KEY_FILE' | 'LISTEN' | 'STATE';

  constructor(code: MeshError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface Mesh extends AsyncDisposable {
  readonly id: NodeId;
  start(handlers: MeshHandlers): Promise<void>;
  stop(): Promise<void>;
  /** Where it listens, without /p2p. */
  addresses(): readonly string[];
  peers(): readonly PeerView[];
  /**
   * Replaces whom the gate lets in (this node itself may be listed); connects, keeps connected and disconnects
   * accordingly. Joins the gossip topics that `clusterId` names.
   */
  setCluster(clusterId: string | null, members: readonly KnownPeer[]): void;
  /** Never blocks, never throws: drops the frame when the peer is away or its queue is full. */
  sendRaftFrame(to: NodeId, frame: Uint8Array): void;
  call(
    to: NodeId,
    request: ControlRequest,
    options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal },
  ): Promise<Outcome<ControlResponse, MeshFailure>>;
  openHttp(to: NodeId): Promise<Outcome<Duplex, MeshFailure>>;
  /** Sends a blob that the shelf holds; ok once it is on the peer's disk. */
  pushBlob(to: NodeId, sha256: string): Promise<Outcome<void, MeshFailure>>;
  /** Fetches a blob of at most `maxBytes` from a peer into the shelf. */
  fetchBlob(from: NodeId, sha256: string, maxBytes: number): Promise<Outcome<void, MeshFailure>>;
  publishCapacity(notice: CapacityNotice): void;
  publishDigest(digest: ClusterDigest): void;
  /**
   * Dials HOST[:PORT] or a multiaddr (with or without /p2p), proves the token both ways, asks. FORBIDDEN: no member
   * should be there.
   */
  join(target: string, request: JoinRequest): Promise<Outcome<JoinOutcome, JoinFailure>>;
}
