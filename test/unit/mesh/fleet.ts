/** Several meshes in one process, over real loopback TCP, with handlers that record what they are told. */

import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { Readable } from 'node:stream';
import { systemClock, systemRandom } from '../../../node/adapters.ts';
import { type Libp2pMesh, openMesh } from '../../../node/mesh/libp2p-mesh.ts';
import type { MeshDoor, MeshHandlers, MeshOptions } from '../../../node/mesh/types.ts';
import type { Clock } from '../../../node/ports.ts';
import type { BlobShelf, PushGate } from '../../../protocols/blob/index.ts';
import { joinCredential, joinKey } from '../../../protocols/proof/token-keys.ts';
import type { CapacityNotice, ClusterDigest } from '../../../protocols/schema/capacity.ts';
import type { KnownPeer } from '../../../protocols/schema/member.ts';
import type {
  ControlRequest,
  ControlResponse,
  JoinRequest,
  JoinResponse,
  ShownProof,
} from '../../../protocols/schema/messages.ts';
import type { Inspection } from '../../../protocols/schema/views.ts';
import { silentLogger } from '../../support/silent-logger.ts';

export const TOKEN = 'the join token of a fleet';

/** Of a node that holds one token, and lets in who holds it. */
export function doorOf(token: string): MeshDoor {
  const credential = joinCredential(token);
  const known = { key: joinKey(token), refusal: null };
  return { credential, known: (id) => (id === credential.bearer.id ? known : null) };
}

/** Keeps blobs in memory, checked as the real shelf checks them. */
export class MemoryShelf implements BlobShelf {
  readonly blobs = new Map<string, Uint8Array>();

  add(bytes: Uint8Array): string {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    this.blobs.set(sha256, bytes);
    return sha256;
  }

  async has(sha256: string) {
    return this.blobs.has(sha256);
  }

  async open(sha256: string) {
    const bytes = this.blobs.get(sha256);
    if (bytes === undefined) return null;
    const step = 64 * 1024;
    const pieces = function* () {
      for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
    };
    return { size: bytes.length, content: Readable.from(pieces(), { objectMode: false }) };
  }

  async put(sha256: string, size: number, content: AsyncIterable<Uint8Array>) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of content) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const actual = createHash('sha256').update(bytes).digest('hex');
    if (actual !== sha256 || bytes.length !== size) {
      return { ok: false, error: { code: 'MISMATCH', message: 'the bytes are others' } } as const;
    }
    this.blobs.set(sha256, bytes);
    return { ok: true, value: undefined } as const;
  }
}

/** Handlers whose answers a test may replace, and what they were told. */
export class Recorder implements MeshHandlers {
  /** Takes whatever is pushed. */
  pushGate: PushGate = { refuse: async () => null, settle: () => {} };
  readonly frames: { from: string; frame: Uint8Array }[] = [];
  readonly notices: CapacityNotice[] = [];
  readonly digests: ClusterDigest[] = [];
  readonly changes: { id: string; connected: boolean }[] = [];
  readonly joins: { from: string; request: JoinRequest }[] = [];
  readonly proofs: (ShownProof | null)[] = [];
  control: (from: string, request: ControlRequest) => Promise<ControlResponse> = async () => ({ type: 'ok' });
  http: (from: string, stream: Duplex) => void = (_from, stream) => stream.destroy();
  joining: (from: string, request: JoinRequest) => Promise<JoinResponse> = async () => ({
    type: 'refused',
    code: 'NO',
    message: 'no test answer',
  });
  frame: (from: string, frame: Uint8Array) => void = (from, frame) => this.frames.push({ from, frame });
  readonly #waiting: { test: () => boolean; resolve: () => void }[] = [];

  onRaftFrame(from: string, frame: Uint8Array) {
    this.frame(from, frame);
    this.#check();
  }
  onControl(from: string, request: ControlRequest) {
    return this.control(from, request);
  }
  onHttp(from: string, stream: Duplex) {
    this.http(from, stream);
  }
  onCapacity(notice: CapacityNotice) {
    this.notices.push(notice);
    this.#check();
    return true;
  }
  onDigest(digest: ClusterDigest) {
    this.digests.push(digest);
    this.#check();
    return true;
  }
  onJoin(from: string, request: JoinRequest, proof: ShownProof | null) {
    this.joins.push({ from, request });
    this.proofs.push(proof);
    return this.joining(from, request);
  }
  onInspect() {
    return INSPECTION;
  }
  onPeerChange(id: string, connected: boolean) {
    this.changes.push({ id, connected });
    this.#check();
  }

  /** Resolves when `test` holds; it is asked after each thing that is recorded. */
  until(test: () => boolean): Promise<void> {
    if (test()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ test, resolve }));
  }

  isConnected(id: string): boolean {
    return this.changes.findLast((change) => change.id === id)?.connected ?? false;
  }

  #check() {
    for (const waiting of [...this.#waiting]) {
      if (!waiting.test()) continue;
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      waiting.resolve();
    }
  }
}

export interface Node {
  readonly mesh: Libp2pMesh;
  readonly recorder: Recorder;
  readonly shelf: MemoryShelf;
  readonly keyFile: string;
}

export interface FleetNodeOptions extends Partial<MeshOptions> {
  readonly clock?: Clock;
  readonly token?: string;
  readonly door?: MeshDoor;
}

export class Fleet implements AsyncDisposable {
  readonly #directory: string;
  readonly nodes: Node[] = [];

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async of(count: number, options: FleetNodeOptions = {}): Promise<Fleet> {
    const fleet = new Fleet(await mkdtemp(join(tmpdir(), 'fsched-mesh-')));
    for (let index = 0; index < count; index += 1) await fleet.add(options);
    return fleet;
  }

  async add(options: FleetNodeOptions = {}): Promise<Node> {
    const { clock = systemClock, token = TOKEN, door = doorOf(token), ...rest } = options;
    const keyFile = rest.keyFile ?? join(this.#directory, `key-${this.nodes.length}`);
    const shelf = new MemoryShelf();
    const mesh = await openMesh(
      { listen: '/ip4/127.0.0.1/tcp/0', ...rest, keyFile },
      { clock, random: systemRandom, logger: silentLogger, shelf, door },
    );
    const recorder = new Recorder();
    const node = { mesh, recorder, shelf, keyFile };
    this.nodes.push(node);
    await mesh.start(recorder);
    return node;
  }

  /** The node at `index`, which must be there. */
  at(index: number): Node {
    const node = this.nodes[index];
    if (node === undefined) throw new Error(`the fleet has no node ${index}`);
    return node;
  }

  known(nodes: readonly Node[] = this.nodes): KnownPeer[] {
    return nodes.map(({ mesh }) => ({ id: mesh.id, addresses: mesh.addresses() }));
  }

  /** Makes one cluster of them and waits until each is connected to each. */
  async form(nodes: readonly Node[] = this.nodes, clusterId = 'test'): Promise<void> {
    const known = this.known(nodes);
    for (const { mesh } of nodes) mesh.setCluster(clusterId, known);
    for (const { mesh, recorder } of nodes) {
      const others = known.filter(({ id }) => id !== mesh.id);
      await recorder.until(() => others.every(({ id }) => recorder.isConnected(id)));
    }
  }

  async [Symbol.asyncDispose]() {
    await Promise.all(this.nodes.map(({ mesh }) => mesh.stop()));
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** HOST:PORT of a node. */
export function hostPort(node: Node): string {
  const [, , host, , port] = (node.mesh.addresses()[0] ?? '').split('/');
  return `${host}:${port}`;
}

export function notice(node: string, sequence: number): CapacityNotice {
  return {
    node,
    name: 'a',
    version: '0.1.0',
    sequence,
    startedAtMs: 1,
    cpus: 2,
    cpuModel: 'x',
    profilers: ['wallclock'],
    modelVersion: 3,
    takesRuns: true,
    troubles: [],
    memoryBytes: 3,
    freeMemoryBytes: 2,
    load1: 0.5,
    enforcement: 'unenforced',
    domains: [
      {
        id: 0,
        cpus: [0, 1],
        ways: 12,
        freeWays: 7,
        wayBytes: 1024,
        masks: { reserve: 0, foreign: 0, io: 0, pool: 0 },
        minWays: 1,
        occupancyBytes: null,
        poolBandwidthPercent: null,
      },
    ],
    runs: [
      {
        runId: 'r',
        attempt: 1,
        domain: 0,
        ways: 5,
        hold: 'counted',
        mask: null,
        occupancyBytes: null,
        sensitive: true,
      },
    ],
  };
}

const { sequence: _, ...capacity } = notice('n', 1);

/** What a node of a fleet tells of itself. */
export const INSPECTION: Inspection = {
  node: { id: 'n', name: 'of a test', version: '0', mesh: [], rest: '' },
  cluster: {
    clusterId: null,
    consensus: {
      id: 'n',
      role: 'follower',
      term: 0,
      leader: null,
      ready: false,
      commitIndex: 0,
      appliedIndex: 0,
      lastIndex: 0,
      configuration: { voters: [], learners: [] },
    },
    members: [],
    versions: { members: 0, tasks: 0, profiles: 0, runs: 0, models: 0, observations: 0 },
    queued: 0,
    running: 0,
    health: { state: 'degraded', reasons: ['there is no master'] },
  },
  peers: [],
  capacity,
  held: [],
  digest: null,
  model: {
    name: 'm',
    version: null,
    sha256: null,
    description: 'none',
    current: 0,
    trouble: null,
  },
  tables: {
    versions: { members: 0, tasks: 0, profiles: 0, runs: 0, models: 0, observations: 0 },
    fingerprint: '0',
  },
};
