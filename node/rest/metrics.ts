/** Prometheus metrics of one node, in a registry of its own. Names follow the glossary and the log. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { RestBackend } from './backend.ts';

export class RestMetrics {
  readonly #registry = new Registry();
  readonly #backend: RestBackend;
  readonly #requests: Histogram<'method' | 'route' | 'status'>;
  readonly #forwards: Counter<'outcome'>;
  readonly #node: ReturnType<typeof nodeGauges>;
  readonly #cluster: ReturnType<typeof clusterGauges>;
  #processMetrics = false;

  constructor(backend: RestBackend) {
    this.#backend = backend;
    const registers = [this.#registry];
    this.#requests = new Histogram({
      name: 'fsched_http_request_duration_seconds',
      help: 'Time from the headers of a request to the end of its answer; status 499: the client hung up.',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 600],
      registers,
    });
    this.#forwards = new Counter({
      name: 'fsched_http_forward_attempts_total',
      help: 'Attempts to have the master answer a request, by outcome.',
      labelNames: ['outcome'],
      registers,
    });
    this.#node = nodeGauges(registers);
    this.#cluster = clusterGauges(registers);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  observeRequest(method: string, route: string, status: number, seconds: number): void {
    this.#requests.observe({ method, route, status: String(status) }, seconds);
  }

  countForward(outcome: string): void {
    this.#forwards.inc({ outcome });
  }

  /** The text that Prometheus scrapes. */
  async scrape(): Promise<string> {
    // Their event-loop histogram and garbage-collection observer cost something: only for who looks.
    if (!this.#processMetrics) {
      this.#processMetrics = true;
      collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: 100 });
    }
    this.#feedNode();
    this.#feedCluster();
    return this.#registry.metrics();
  }

  #feedNode(): void {
    const { consensus, objections, version, uptimeSeconds, modelVersion, room } = this.#backend.localHealth();
    const gauges = this.#node;
    gauges.info.set({ version }, 1);
    gauges.uptime.set(uptimeSeconds);
    if (modelVersion === null) gauges.modelVersion.remove({});
    else gauges.modelVersion.set(modelVersion);
    if (room !== null) {
      gauges.diskFreeBytes.set(room.freeBytes);
      gauges.diskReserveBytes.set(room.reserveBytes);
    }
    gauges.term.set(consensus.term);
    gauges.commitIndex.set(consensus.commitIndex);
    gauges.appliedIndex.set(consensus.appliedIndex);
    gauges.masterKnown.set(consensus.leader === null ? 0 : 1);
    for (const { peer, objection, count } of objections) gauges.dropped.set({ peer, objection }, count);
    gauges.isMaster.set(consensus.role === 'leader' && consensus.ready ? 1 : 0);
  }

  /** Only the master knows these; a node that no longer is shows none. */
  #feedCluster(): void {
    const gauges = this.#cluster;
    const labelled = [gauges.members, gauges.ways, gauges.freeWays, gauges.tableVersion];
    for (const gauge of labelled) gauge.reset();
    for (const gauge of [gauges.queued, gauges.running, gauges.generosity]) gauge.remove({});
    if (this.#backend.authority().kind !== 'self') return;
    const view = this.#backend.cluster();
    gauges.members.set({ alive: 'true' }, view.members.filter((member) => member.alive).length);
    gauges.members.set({ alive: 'false' }, view.members.filter((member) => !member.alive).length);
    gauges.queued.set(view.queued);
    gauges.running.set(view.running);
    gauges.generosity.set(this.#backend.generosity());
    for (const [table, version] of Object.entries(view.versions)) gauges.tableVersion.set({ table }, version);
    for (const { member, capacity } of view.members) {
      for (const domain of capacity?.domains ?? []) {
        const labels = { node: member.id, domain: String(domain.id) };
        gauges.ways.set(labels, domain.ways);
        gauges.freeWays.set(labels, domain.freeWays);
      }
    }
  }
}

function nodeGauges(registers: Registry[]) {
  const gauge = (name: string, help: string) => new Gauge({ name: `fsched_${name}`, help, registers });
  return {
    info: new Gauge({ name: 'fsched_info', help: 'Always 1.', labelNames: ['version'], registers }),
    uptime: gauge('uptime_seconds', 'Since the start of the daemon.'),
    modelVersion: gauge('model_version', "Of the predictor's weights in use; 0: as shipped."),
    diskFreeBytes: gauge('disk_free_bytes', 'Free where the room of this node is tightest.'),
    diskReserveBytes: gauge('disk_reserve_bytes', 'Kept there for its log.'),
    term: gauge('term', 'Current term.'),
    commitIndex: gauge('commit_index', 'Index of the last committed entry.'),
    appliedIndex: gauge('applied_index', 'Index of the last applied entry.'),
    masterKnown: gauge('master_known', '1 when this node knows a master.'),
    dropped: new Gauge({
      name: 'fsched_consensus_frames_dropped',
      help: 'Consensus frames that this node dropped since its start, by sender and what was wrong with them.',
      labelNames: ['peer', 'objection'],
      registers,
    }),
    isMaster: gauge('is_master', '1 when this node is master.'),
  };
}

function clusterGauges(registers: Registry[]) {
  const gauge = <L extends string>(name: string, help: string, labelNames: L[] = []) =>
    new Gauge<L>({ name: `fsched_${name}`, help: `${help} Only on the master.`, labelNames, registers });
  return {
    members: gauge('members', 'Members of the cluster.', ['alive']),
    queued: gauge('queued_runs', 'Runs in the queue.'),
    running: gauge('running_runs', 'Runs in progress.'),
    generosity: gauge('generosity', 'Generosity at this moment.'),
    tableVersion: gauge('table_version', 'How often a table has changed.', ['table']),
    ways: gauge('ways', 'Ways of an LLC domain.', ['node', 'domain']),
    freeWays: gauge('free_ways', 'Free ways of an LLC domain.', ['node', 'domain']),
  };
}
