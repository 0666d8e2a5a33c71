/**
 * What this node tells of itself: its capacity to all, the cluster's digest while it is master, everything to who
 * inspects it.
 */
import type { ModelHost } from '../../predictor/model-host.ts';
import type { CapacityNotice, ClusterDigest, NodeEnforcement } from '../../protocols/schema/capacity.ts';
import type { Inspection } from '../../protocols/schema/views.ts';
import type { Topology } from '../llc/types.ts';
import type { Mesh } from '../mesh/types.ts';
import type { MachineReading } from '../worker/machine.ts';
import type { ProfilerSet } from '../worker/profilers/profiler-set.ts';
import type { Worker } from '../worker/worker.ts';
import { type ClusterViewDependencies, viewCluster } from './cluster-view.ts';
import type { MasterSeat } from './master-seat.ts';
import type { ModelKeeper } from './model-keeper.ts';

export interface SelfDescriptionOptions {
  readonly name: string;
  readonly version: string;
}

export interface SelfDescriptionDependencies extends ClusterViewDependencies {
  readonly mesh: Pick<Mesh, 'id' | 'addresses' | 'peers'>;
  readonly topology: Topology;
  readonly worker: Pick<Worker, 'capacity' | 'held'>;
  readonly profilers: Pick<ProfilerSet, 'names'>;
  readonly host: Pick<ModelHost, 'info'>;
  readonly modelKeeper: Pick<ModelKeeper, 'trouble'>;
  readonly seat: Pick<MasterSeat, 'master'>;
  readonly readMachine: () => MachineReading;
  /** Whether runs are started now. */
  readonly takesRuns: () => boolean;
  /** What the operator of this node must mend, a clause each. */
  readonly troubles: () => readonly string[];
  /** How runs of this node are held to their ways. */
  readonly enforcement: () => NodeEnforcement;
  /** The last digest that was heard; null: none was. */
  readonly heard: () => ClusterDigest | null;
  /** Where REST is served. */
  readonly rest: { readonly url: string };
}

export class SelfDescription {
  readonly #options: SelfDescriptionOptions;
  readonly #deps: SelfDescriptionDependencies;
  readonly #startedAtMs: number;

  constructor(options: SelfDescriptionOptions, dependencies: SelfDescriptionDependencies) {
    this.#options = options;
    this.#deps = dependencies;
    this.#startedAtMs = dependencies.clock.nowMs();
  }

  capacity(): Omit<CapacityNotice, 'sequence'> {
    const { mesh, topology, worker, profilers, host, enforcement, readMachine, takesRuns, troubles } =
      this.#deps;
    const { version: modelVersion } = host.info();
    return {
      node: mesh.id,
      ...this.#options,
      startedAtMs: this.#startedAtMs,
      cpuModel: topology.cpuModel,
      enforcement: enforcement(),
      ...readMachine(),
      ...worker.capacity(),
      profilers: profilers.names(),
      modelVersion,
      takesRuns: takesRuns(),
      troubles: troubles(),
    };
  }

  /** Null while this node isn't master. */
  digest(): ClusterDigest | null {
    const { consensus, tables, mesh, seat } = this.#deps;
    if (!seat.master) return null;
    const { term, commitIndex } = consensus.status();
    const active = tables.activeRuns();
    const queued = active.filter((run) => run.state === 'queued').length;
    return {
      term,
      master: mesh.id,
      commitIndex,
      versions: tables.versions(),
      queued,
      running: active.length - queued,
    };
  }

  inspection(): Inspection {
    const { mesh, worker, tables, host, modelKeeper, heard, rest } = this.#deps;
    return {
      node: { id: mesh.id, ...this.#options, mesh: mesh.addresses(), rest: rest.url },
      cluster: viewCluster(this.#deps),
      peers: mesh.peers(),
      capacity: this.capacity(),
      held: worker.held(),
      digest: heard(),
      model: { ...host.info(), current: tables.models.current, trouble: modelKeeper.trouble },
      tables: { versions: tables.versions(), fingerprint: tables.fingerprint() },
    };
  }
}
