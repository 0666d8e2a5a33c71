/** The three nodes of the demo, and what the demo waits for in them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Environment } from '../../node/config/config.ts';
import type { ClusterJson } from '../../node/rest/schemas/cluster.ts';
import type { HealthJson } from '../../node/rest/schemas/service.ts';
import type { ApiClient } from '../api-client.ts';
import { messageOf } from '../exit-codes.ts';
import { DemoNode } from './demo-node.ts';

const PATIENCE_MS = 30_000;
const FIRST = 'alpha';
const POLL_MS = 10;

/** Repeats `attempt` until it gives something; failures on the way are the reason for waiting. */
export async function waitFor<T>(what: string, attempt: () => Promise<T | null>): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  let lastError: unknown = null;
  while (performance.now() < deadline) {
    try {
      const result = await attempt();
      if (result !== null) return result;
    } catch (error) {
      lastError = error;
    }
    await delay(POLL_MS);
  }
  const why = lastError === null ? '' : ` (${messageOf(lastError)})`;
  throw new Error(`waited ${PATIENCE_MS / 1000} s in vain for ${what}${why}`);
}

export class DemoCluster implements AsyncDisposable {
  readonly nodes: readonly DemoNode[];
  readonly #folder: string;

  private constructor(folder: string, environment: Environment) {
    this.#folder = folder;
    const flags = [
      ...['--listen', '/ip4/127.0.0.1/tcp/0', '--rest', '127.0.0.1:0'],
      ...['--llc', 'emulated', '--llc-geometry', '16x128KiB', '--log-level', 'info'],
    ];
    this.nodes = [FIRST, 'beta', 'gamma'].map((name) => new DemoNode(name, { folder, flags, environment }));
  }

  static async create(environment: Environment): Promise<DemoCluster> {
    return new DemoCluster(await mkdtemp(join(tmpdir(), 'fsched-demo-')), environment);
  }

  /** The first node makes the token; the others join through it. */
  async start(): Promise<void> {
    const [first, ...others] = this.nodes;
    await first?.start();
    await Promise.all(others.map((node) => this.startJoining(node)));
  }

  /** Starts a node, perhaps again, through whoever is up now. */
  async startJoining(node: DemoNode): Promise<void> {
    const through = this.up.find((candidate) => candidate !== node)?.ready.mesh[0];
    const [first] = this.nodes;
    if (through === undefined || first === undefined) throw new Error('no node to join through is up');
    await node.start(['--join', through, '--token-file', this.tokenFile]);
  }

  /** Made by the first node. */
  get tokenFile(): string {
    return join(this.#folder, FIRST, 'join-token');
  }

  get up(): readonly DemoNode[] {
    return this.nodes.filter((node) => node.isUp);
  }

  /** Waits until every node that is up names the same master of the same term, and that master is one of them. */
  async agreedMaster(): Promise<{ readonly master: DemoNode; readonly term: number }> {
    return waitFor('one master that every node agrees on', async () => {
      const views = await Promise.all(this.up.map((node) => node.client(2000).get<HealthJson>('/healthz')));
      const [view] = views;
      if (
        view === undefined ||
        views.some(({ master, term }) => master !== view.master || term !== view.term)
      )
        return null;
      const master = this.up.find((node) => node.ready.peer === view.master);
      return master === undefined ? null : { master, term: view.term };
    });
  }

  /** A node that is up and isn't master, so that its answers show forwarding. */
  async follower(): Promise<DemoNode> {
    const { master } = await this.agreedMaster();
    const follower = this.up.find((node) => node !== master);
    if (follower === undefined) throw new Error('no node but the master is up');
    return follower;
  }

  /** Waits until `count` members are up and voters. */
  async awaitVoters(count: number): Promise<ClusterJson> {
    return waitFor(`${count} voters that are up`, async () => {
      const cluster = await fetchCluster((await this.follower()).client());
      const alive = cluster.members.filter((member) => member.alive && member.llc.length > 0);
      return cluster.voters.length === count && alive.length === count ? cluster : null;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
    await rm(this.#folder, { recursive: true, force: true });
  }
}

export const fetchCluster = (client: ApiClient): Promise<ClusterJson> => client.get('/cluster');
