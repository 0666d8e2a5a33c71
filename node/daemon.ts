/**
 * The composition root: the one place that builds and wires the parts of a node. They start in the order of
 * their dependence and stop in reverse. Above 300 lines because it is one list: cut up, the order in which the parts
 * depend on each other could no longer be read off.
 */
import { join } from 'node:path';
import { ModelThread } from '../predictor/model/model-thread.ts';
import type { ModelHost } from '../predictor/model-host.ts';
import { systemClock, systemRandom } from './adapters.ts';
import type { NodeConfig } from './config/config.ts';
import { ConsensusDriver } from './consensus/driver.ts';
import type { ConsensusStatus } from './consensus/types.ts';
import { makeDirectory, readApiToken, StartError, warnIfOpen } from './daemon-checks.ts';
import { choosePartitions, type Emulate } from './llc/choose-partitions.ts';
import { discoverTopology } from './llc/topology.ts';
import type { Topology } from './llc/types.ts';
import { Master } from './master/master.ts';
import { CapacityBoard } from './membership/capacity-board.ts';
import { decodeIdentity, encodeIdentity } from './membership/cluster-identity.ts';
import { Membership } from './membership/membership.ts';
import { loadToken, saveToken } from './membership/token.ts';
import { openMesh } from './mesh/libp2p-mesh.ts';
import type { CapacityNotice, ClusterDigest, Mesh } from './mesh/types.ts';
import type { Logger } from './ports.ts';
import { createRestServer } from './rest/server.ts';
import { DaemonBackend } from './service/backend.ts';
import { viewCluster } from './service/cluster-view.ts';
import { ControlDesk } from './service/control-desk.ts';
import { deliverReport, deliverStarted } from './service/deliveries.ts';
import { Gossiper } from './service/gossiper.ts';
import { invite } from './service/invitation.ts';
import { MasterSeat } from './service/master-seat.ts';
import { ModelKeeper } from './service/model-keeper.ts';
import { RunWatch } from './service/run-watch.ts';
import { Tables } from './state/tables.ts';
import type { ApplyResult } from './state/types.ts';
import { BlobKeeper } from './store/blob-keeper.ts';
import { BlobStore } from './store/blob-store.ts';
import { openLevelLogStore } from './store/level-log-store.ts';
import { VERSION } from './version.ts';
import { chooseRunAs } from './worker/isolation/run-user.ts';
import { openWorkDirectory } from './worker/isolation/work-place.ts';
import { systemMachine } from './worker/machine.ts';
import { ProcessLauncher, type ProcessLauncherOptions } from './worker/process-launcher.ts';
import { CachegrindProfiler } from './worker/profilers/cachegrind.ts';
import { ProfilerSet } from './worker/profilers/profiler-set.ts';
import { resctrlProfiler, wallclockProfiler } from './worker/profilers/timing.ts';
import { Worker } from './worker/worker.ts';

export interface Daemon {
  readonly ready: { readonly peer: string; readonly mesh: readonly string[]; readonly rest: string };
  /** Stops the parts in reverse order; calling it again waits for the same end. */
  stop(): Promise<void>;
  /** Resolves when the node can't go on (its disk broke): stop it and end with an error. */
  readonly failed: Promise<Error>;
}

export interface StartOptions {
  readonly logger: Logger;
  /** For tests that look behind the emulated kernel, or break it. @default see `ChoiceDependencies` */
  readonly emulate?: Emulate;
}

const CLUSTER_KEY = 'cluster';
const SERVING_WITHIN_MS = 1_000;

/** @throws StartError, LogStoreError, RestServerError, MeshError: each message says what to do */
export async function startDaemon(config: NodeConfig, options: StartOptions): Promise<Daemon> {
  await using stack = new AsyncDisposableStack();
  const { ready, failed } = await startParts(config, options, stack);
  const parts = stack.move();
  let stopped: Promise<void> | null = null;
  return {
    ready,
    failed,
    stop: () => {
      stopped ??= parts.disposeAsync();
      return stopped;
    },
  };
}

/** Long because it is one list: every part is built once, named, and given to the stack that will stop it. */
async function startParts(
  config: NodeConfig,
  { logger, emulate }: StartOptions,
  stack: AsyncDisposableStack,
): Promise<Pick<Daemon, 'ready' | 'failed'>> {
  const clock = systemClock;
  const random = systemRandom;
  const { promise: failed, resolve: onFatal } = Promise.withResolvers<Error>();
  const inDataDir = (name: string): string => join(config.dataDir, name);

  const apiToken = await readApiToken(config.apiTokenFile);
  await makeDirectory(config.dataDir);
  // Before all else that it keeps: it holds the lock of the data directory.
  const store = await openLevelLogStore({ directory: inDataDir('log') });
  stack.defer(() => store.close());
  // Only who founds a cluster makes its token: one made by a member would be another than the cluster's.
  const founds = config.join.length === 0 && (await store.get(CLUSTER_KEY)) === null;
  const token = await loadToken(
    config.tokenFile ?? inDataDir('join-token'),
    founds && config.tokenFile === null,
  );
  if (!token.ok) throw new StartError('TOKEN', token.error.message);
  await warnIfOpen(config.tokenFile ?? inDataDir('join-token'), 'join token', logger);
  await warnIfOpen(config.apiTokenFile, 'API token', logger);
  const shelf = stack.use(
    new BlobStore(
      { directory: inDataDir('blobs') },
      { clock, random, logger: logger.child({ room: 'blobs' }) },
    ),
  );
  await shelf.start();

  let digest: ClusterDigest | null = null;
  const tables = new Tables();
  const board = new CapacityBoard({ clock });
  const watch = new RunWatch({ tables, clock });
  const host: ModelHost = await ModelThread.open(
    {},
    {
      after: (delayMs, task) => clock.after(delayMs, task),
      onFallback: (reason) =>
        logger.warn(
          { room: 'model', reason },
          'TensorFlow does not run here: predictions go on without it, nothing is trained',
        ),
    },
  );
  stack.defer(() => host.stop());
  const mesh = stack.use(
    await openMesh(
      { listen: config.listen, token: token.value, keyFile: inDataDir('peer-key') },
      { clock, random, logger: logger.child({ room: 'mesh' }), shelf },
    ),
  );
  const consensus = new ConsensusDriver<ApplyResult>(
    { id: mesh.id, heartbeatMs: config.heartbeatMs, electionTimeoutMs: config.electionTimeoutMs, onFatal },
    {
      store,
      clock,
      random,
      machine: tables,
      logger: logger.child({ room: 'consensus' }),
      link: { send: (to, frame) => mesh.sendRaftFrame(to, frame) },
    },
  );
  const keeper = new BlobKeeper({
    self: mesh.id,
    tables,
    shelf,
    mesh,
    configuration: () => consensus.status().configuration,
    caughtUp: () => seat.master !== null || isCaughtUp(consensus.status(), digest),
    clock,
    logger: logger.child({ room: 'blobs' }),
  });
  const llc = await choosePartitions(
    {
      mode: config.llc,
      noteFile: inDataDir('resctrl-root'),
      emulatorFile: inDataDir('resctrl-emulated'),
      poolBandwidth: config.poolBandwidth,
    },
    {
      topology: await discoverTopology({ geometry: config.llcGeometry }),
      nodeId: mesh.id,
      clock,
      logger: logger.child({ room: 'llc' }),
      onChange: () => gossiper.changed(),
      ...(emulate && { emulate }),
    },
  );
  if (!llc.ok) throw new StartError('RESCTRL', `--llc resctrl: ${llc.error}`);
  const { partitions, topology } = llc.value;
  const enforces = (): boolean => llc.value.kind === 'resctrl' && partitions.view().state === 'holding';
  const enforcement = (): CapacityNotice['enforcement'] => {
    if (llc.value.kind === 'emulated') return 'emulated';
    return enforces() ? 'enforced' : 'unenforced';
  };
  const profilers = new ProfilerSet(
    [
      resctrlProfiler({ enforces }),
      new CachegrindProfiler({ searchPath: process.env.PATH ?? '' }),
      wallclockProfiler(),
    ],
    { logger: logger.child({ room: 'profilers' }) },
  );
  const worker = stack.use(
    new Worker(
      { outputLimitBytes: config.outputLimitBytes },
      {
        clock,
        random,
        logger: logger.child({ room: 'worker' }),
        topology,
        launcher: new ProcessLauncher(launcherOptions(config), {
          clock,
          logger: logger.child({ room: 'worker' }),
        }),
        instrument: (measure) => profilers.instrument(measure),
        partitions,
        taskFile: async ({ sha256 }) => ((await keeper.ensure(sha256)) ? shelf.path(sha256) : null),
        onChange: () => gossiper.changed(),
        deliverStarted: (notice) => deliverStarted(notice, { consensus, mesh }),
        deliverReport: (report) => deliverReport(report, { consensus, mesh }),
      },
    ),
  );
  const membership: Membership = new Membership(
    { name: config.name, join: config.join },
    {
      mesh,
      consensus,
      tables,
      load: async () => {
        const bytes = await store.get(CLUSTER_KEY);
        return bytes && decodeIdentity(bytes);
      },
      save: (identity) => store.put(CLUSTER_KEY, encodeIdentity(identity)),
      // Ends what it runs and reports none of it: the master queues it again elsewhere.
      onRemoved: () => void worker.stop(),
      clock,
      random,
      logger: logger.child({ room: 'membership' }),
    },
  );
  const modelKeeper = new ModelKeeper({
    tables,
    keeper,
    shelf,
    host,
    onChange: () => gossiper.changed(),
    clock,
    logger: logger.child({ room: 'model' }),
  });
  const clusterId = (): string | null => membership.clusterId;
  const seat: MasterSeat = new MasterSeat({
    consensus,
    watch,
    onChange: () => gossiper.changed(),
    create: () =>
      new Master(
        {
          maxVoters: config.voters,
          queueLimit: config.queueLimit,
          timeLimitMs: config.timeLimitMs,
          maxUploadBytes: config.maxUploadBytes,
        },
        {
          consensus,
          tables,
          board,
          mesh,
          shelf,
          host,
          watch,
          clock,
          random,
          logger: logger.child({ room: 'master' }),
        },
      ),
    clock,
    logger: logger.child({ room: 'master' }),
  });
  const master = (): Master | null => seat.master;
  const startedAtMs = clock.nowMs();
  const describe = describeNode(config, {
    mesh,
    topology,
    worker,
    profilers,
    host,
    enforcement,
    startedAtMs,
  });
  const gossiper: Gossiper = new Gossiper({
    mesh,
    board,
    capacity: describe,
    digest: () => (seat.master ? digestOf(mesh.id, consensus, tables) : null),
    clock,
  });
  const control = new ControlDesk({ master, consensus, worker });
  const view = { consensus, tables, board, mesh, clusterId, clock };
  const backend = new DaemonBackend(
    { name: config.name, version: VERSION },
    {
      ...view,
      master,
      shelf,
      keeper,
      watch,
      host,
      isRemoved: () => membership.isRemoved,
      enforcement,
      invite: (host) => invite(host, { master, mesh, clusterId, knownPeers: () => membership.knownPeers() }),
    },
  );
  const rest = createRestServer(
    { ...config.rest, apiToken, maxUploadBytes: config.maxUploadBytes },
    { backend, logger: logger.child({ room: 'rest' }), clock, random },
  );

  await worker.start();
  // After the partitions: whether they hold decides what can be measured by them.
  await profilers.start();
  await mesh.start({
    onRaftFrame: (from, frame) => consensus.receive(from, frame),
    onControl: (_from, request) => control.answer(request),
    onHttp: (_from, stream) => rest.acceptForwarded(stream),
    onCapacity: (notice) => void board.hear(notice),
    onDigest: (heard) => {
      digest = heard;
    },
    onJoin: (from, request) => membership.handleJoin(from, request),
    onInspect: () => inspection(),
    onPeerChange: (id, connected) => (connected ? consensus.peerFound(id) : consensus.peerLost(id)),
  });
  const inspection = (): unknown => ({
    node: { id: mesh.id, name: config.name, version: VERSION, mesh: mesh.addresses(), rest: rest.url },
    cluster: viewCluster(view),
    peers: mesh.peers(),
    capacity: describe(),
    held: worker.held(),
    digest,
    model: { ...host.info(), current: tables.models.current, trouble: modelKeeper.trouble },
    tables: { versions: tables.versions(), fingerprint: tables.fingerprint() },
  });
  stack.defer(() => watch.stop());
  stack.use(consensus);
  await consensus.start();
  seat.start();
  stack.defer(() => seat.stop());
  keeper.start();
  stack.defer(() => keeper.stop());
  modelKeeper.start();
  stack.defer(() => modelKeeper.stop());
  gossiper.start();
  stack.defer(() => gossiper.stop());
  stack.defer(() => membership.stop());
  const joined = await membership.start();
  if (!joined.ok) throw new StartError('MEMBERSHIP', joined.error.message);
  if (config.tokenFile !== null) await saveToken(inDataDir('join-token'), token.value);
  stack.use(rest);
  await rest.start();
  await untilServing(consensus, tables, mesh.id);
  return { ready: { peer: mesh.id, mesh: mesh.addresses(), rest: rest.url }, failed };
}

function launcherOptions(config: NodeConfig): ProcessLauncherOptions {
  const { dataDir, memoryLimit, cpuLimit, processLimit, openFileLimit, sandbox, sandboxNetwork } = config;
  const directory = join(dataDir, 'work');
  return {
    directory,
    openDirectory: config.workDir ?? openWorkDirectory(directory),
    hidden: [dataDir],
    isolation: {
      runAs: chooseRunAs(config.runAs),
      sandbox,
      sandboxNetwork,
      limits: { memoryBytes: memoryLimit, cpus: cpuLimit, processes: processLimit, openFiles: openFileLimit },
    },
  };
}

/**
 * Who reads `ready` sends requests: a founder is its own master within a few milliseconds, and a member hears of
 * its master with the next heartbeat. Where there is none, waiting longer would not help.
 */
function untilServing(consensus: ConsensusDriver<ApplyResult>, tables: Tables, self: string): Promise<void> {
  const serves = (): boolean => consensus.status().leader !== null && tables.member(self) !== undefined;
  return new Promise((resolve) => {
    const done = (): void => {
      cancelTimer();
      unsubscribe();
      resolve();
    };
    const cancelTimer = systemClock.after(SERVING_WITHIN_MS, done);
    const unsubscribe = consensus.onChange(() => {
      if (serves()) done();
    });
    if (serves()) done();
  });
}

/** By the master's own word; a digest of another term proves nothing. */
function isCaughtUp({ term, leader, appliedIndex }: ConsensusStatus, digest: ClusterDigest | null): boolean {
  return leader !== null && digest !== null && digest.term === term && digest.commitIndex <= appliedIndex;
}

function describeNode(
  config: Pick<NodeConfig, 'name'>,
  parts: {
    readonly mesh: Mesh;
    readonly topology: Topology;
    readonly worker: Worker;
    readonly profilers: ProfilerSet;
    readonly host: ModelHost;
    readonly enforcement: () => CapacityNotice['enforcement'];
    readonly startedAtMs: number;
  },
): () => Omit<CapacityNotice, 'sequence'> {
  const { mesh, topology, worker, profilers, host, enforcement, startedAtMs } = parts;
  return () => ({
    node: mesh.id,
    name: config.name,
    version: VERSION,
    startedAtMs,
    cpuModel: topology.cpuModel,
    enforcement: enforcement(),
    ...systemMachine.read(),
    ...worker.capacity(),
    profilers: profilers.names(),
    modelVersion: host.info().version,
    modelBackend: host.info().backend,
  });
}

function digestOf(self: string, consensus: ConsensusDriver<ApplyResult>, tables: Tables): ClusterDigest {
  const { term, commitIndex } = consensus.status();
  const active = tables.activeRuns();
  const queued = active.filter((run) => run.state === 'queued').length;
  return {
    term,
    master: self,
    commitIndex,
    versions: tables.versions(),
    queued,
    running: active.length - queued,
  };
}
