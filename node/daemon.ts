/**
 * The composition root: the one place that builds and wires the parts of a node, from top to bottom. Parts start in the
 * order of their dependence and stop in reverse. What a part asks of one that stands below it (who leads, what is wrong)
 * it asks by a function, which is called only when all stand. The file is long because that order is one thing.
 */
import { join } from 'node:path';
import { NeuralModel } from '../predictor/model/neural-model.ts';
import { MAX_WEIGHTS_BYTES } from '../predictor/model/weights-file.ts';
import { joinKey, tokenId } from '../protocols/proof/token-keys.ts';
import type { ClusterDigest, NodeEnforcement } from '../protocols/schema/capacity.ts';
import { MAX_OUTPUT_BYTES } from '../protocols/schema/fields.ts';
import { systemClock, systemRandom } from './adapters.ts';
import type { NodeConfig } from './config/config.ts';
import { ConsensusDriver } from './consensus/driver.ts';
import { StartError } from './daemon-checks.ts';
import { apiTokenFile, openDataDirectory, openDisk } from './data-directory.ts';
import { DEFAULT_POOL_LIMITS } from './llc/allocation/types.ts';
import { type ChosenPartitions, choosePartitions, type Emulate } from './llc/choose-partitions.ts';
import { discoverTopology } from './llc/topology.ts';
import { Master } from './master/master.ts';
import { CapacityBoard } from './membership/capacity-board.ts';
import { Door } from './membership/door.ts';
import { HeldToken } from './membership/held-token.ts';
import { Membership } from './membership/membership.ts';
import { openMesh } from './mesh/libp2p-mesh.ts';
import type { Logger } from './ports.ts';
import { LocalCallers, trustedUsers } from './rest/local-callers.ts';
import { createRestServer } from './rest/server.ts';
import type { TlsFiles } from './rest/tls.ts';
import { KeyRing } from './secrets/key-ring.ts';
import { DaemonBackend } from './service/backend.ts';
import { Bearers } from './service/bearers.ts';
import { ControlDesk, deliverReport, deliverStarted } from './service/control-desk.ts';
import { DigestBoard } from './service/digest-board.ts';
import { Gossiper } from './service/gossiper.ts';
import { invite } from './service/invitation.ts';
import { KeyKeeper } from './service/key-keeper.ts';
import { MasterSeat } from './service/master-seat.ts';
import { ModelKeeper } from './service/model-keeper.ts';
import { RunWatch } from './service/run-watch.ts';
import { SelfDescription } from './service/self-description.ts';
import { Signal } from './signal.ts';
import { SocketOwners } from './socket-owners.ts';
import { Tables } from './state/tables.ts';
import type { ApplyResult } from './state/types.ts';
import { BlobKeeper } from './store/blob-keeper.ts';
import { PushIntake } from './store/push-intake.ts';
import { VERSION } from './version.ts';
import { chooseRunAs } from './worker/isolation/run-user.ts';
import { readMachine } from './worker/machine.ts';
import { ProcessLauncher, type ProcessLauncherOptions } from './worker/process-launcher.ts';
import { CachegrindProfiler } from './worker/profilers/cachegrind.ts';
import { ProfilerSet, resctrlProfiler, wallclockProfiler } from './worker/profilers/profiler-set.ts';
import { openWorkDirectory } from './worker/work-directory.ts';
import { Worker } from './worker/worker.ts';

export interface Daemon {
  readonly ready: { readonly peer: string; readonly mesh: readonly string[]; readonly rest: string };
  /** Stops the parts in reverse order; calling it again waits for the same end. */
  stop(): Promise<void>;
  /** Reads what may change under a node that runs: the certificate of REST. */
  reload(): Promise<void>;
  /** Resolves when the node can't go on (its disk broke): stop it and end with an error. */
  readonly failed: Promise<Error>;
}

export interface StartOptions {
  readonly logger: Logger;
  /** PATH, where programs are looked for. */
  readonly searchPath: string;
  /** LANG of the programs that are run. @default C.UTF-8 */
  readonly lang?: string | undefined;
  /** For tests that look behind the emulated kernel, or break it. @default see `ChoiceDependencies` */
  readonly emulate?: Emulate;
}

const SERVING_WITHIN_MS = 1_000;

/** @throws StartError, LogStoreError, RestServerError, MeshError: each message says what to do */
export async function startDaemon(config: NodeConfig, options: StartOptions): Promise<Daemon> {
  await using stack = new AsyncDisposableStack();
  const { ready, failed, reload } = await startParts(config, options, stack);
  const parts = stack.move();
  let stopped: Promise<void> | null = null;
  return {
    ready,
    failed,
    reload,
    stop: () => {
      stopped ??= parts.disposeAsync();
      return stopped;
    },
  };
}

/** Each part is built once, named, and given to the stack that will stop it. */
async function startParts(
  config: NodeConfig,
  options: StartOptions,
  stack: AsyncDisposableStack,
): Promise<Pick<Daemon, 'ready' | 'failed' | 'reload'>> {
  const ports = { clock: systemClock, random: systemRandom };
  const { clock } = ports;
  const log = (room: string): Logger => options.logger.child({ room });
  const { promise: failed, resolve: onFatal } = Promise.withResolvers<Error>();
  /** What this node has to lend, or who leads, is another than before. */
  const changed = new Signal();
  const onChange = (): void => changed.raise();

  const disk = await openDisk(config, { clock, onChange, logger: log('disk') });
  const { reserve, ballast } = disk;
  const launcher = new ProcessLauncher(launcherOptions(config, options), {
    clock,
    logger: log('worker'),
    disk: disk.watch,
  });
  // What a run left of a start that crashed may be what fills the disk.
  const makeRoom = async (): Promise<boolean> => (await ballast.giveUp()) || launcher.sweep();
  const { store, token, apiToken, shelf } = await openDataDirectory(
    config,
    options.logger,
    { ...disk, makeRoom },
    stack,
  );
  const keys = await KeyRing.open(join(config.dataDir, 'cluster-key'));
  const tables = new Tables();
  const board = new CapacityBoard({ clock, logger: log('membership') });
  tables.onApplied((command, { ok }) => {
    if (ok && command.type === 'member-remove') board.forget(command.id);
  });
  const watch = new RunWatch({ tables, clock });
  const host = stack.use(await NeuralModel.open());

  const digests = new DigestBoard({ status: () => consensus.status(), clock });
  const heard = (): ClusterDigest | null => digests.newest;
  const caughtUp = (): boolean => seat.master !== null || digests.isCaughtUp();
  const door = new Door({ token }, { tables, caughtUp, clock });
  const mesh = stack.use(
    await openMesh(
      {
        listen: config.listen,
        keyFile: join(config.dataDir, 'peer-key'),
        allowDial: config.allowDial,
        trustedTargets: config.join,
      },
      { ...ports, logger: log('mesh'), shelf, door },
    ),
  );
  const link = { send: mesh.sendRaftFrame.bind(mesh) };
  const consensus = new ConsensusDriver<ApplyResult>(
    { id: mesh.id, heartbeatMs: config.heartbeatMs, electionTimeoutMs: config.electionTimeoutMs, onFatal },
    { ...ports, store, machine: tables, logger: log('consensus'), link },
  );
  const common = { consensus, tables, board, mesh, clock };

  const masterParts = {
    ...common,
    ...ports,
    shelf,
    keys,
    host,
    watch,
    ownToken: token === null ? null : { id: tokenId(token), key: joinKey(token) },
    logger: log('master'),
  };
  const createMaster = (): Master => new Master({ ...config, maxVoters: config.voters }, masterParts);
  const seat = new MasterSeat({
    consensus,
    watch,
    onChange,
    create: createMaster,
    clock,
    logger: log('master'),
  });
  const master = (): Master | null => seat.master;

  const maxBytes = Math.max(config.maxUploadBytes, MAX_OUTPUT_BYTES, MAX_WEIGHTS_BYTES);
  const keeper = new BlobKeeper(
    { maxBytes },
    {
      ...common,
      self: mesh.id,
      shelf,
      configuration: () => consensus.status().configuration,
      caughtUp,
      logger: log('blobs'),
    },
  );
  const modelKeeper = new ModelKeeper({ tables, keeper, shelf, host, onChange, clock, logger: log('model') });

  const keyKeeper = new KeyKeeper({ ...common, keys, logger: log('master') });

  const llc = await openPartitions(config, options, { nodeId: mesh.id, onChange, logger: log('llc') });
  const { partitions, topology } = llc;
  const profilers = new ProfilerSet(
    [
      resctrlProfiler({ enforces: () => enforcementOf(llc) === 'enforced' }),
      new CachegrindProfiler({ searchPath: options.searchPath }),
      wallclockProfiler,
    ],
    { logger: log('profilers') },
  );
  const worker = stack.use(
    new Worker(
      { outputLimitBytes: config.outputLimitBytes },
      {
        ...ports,
        logger: log('worker'),
        topology,
        launcher,
        shortage: () => reserve.shortage,
        instrument: (measure) => profilers.instrument(measure),
        partitions,
        taskFile: async ({ sha256 }) => ((await keeper.ensure(sha256)) ? shelf.path(sha256) : null),
        onChange,
        deliverStarted: (notice) => deliverStarted(notice, common),
        deliverReport: (report) => deliverReport(report, common),
      },
    ),
  );

  const heldToken = new HeldToken(
    { ownFile: join(config.dataDir, 'join-token'), givenFile: config.tokenFile },
    { tables, clock, logger: log('membership') },
  );
  // Ends what it runs and reports none of it: the master queues it again elsewhere.
  const onRemoved = (): void => {
    worker.abandonAll();
    keyKeeper.forget();
  };
  const membership = new Membership(
    { name: config.name, join: config.join, apiToken },
    { ...common, ...ports, store, onRemoved, logger: log('membership') },
  );
  const clusterId = (): string | null => membership.clusterId;
  const knownPeers = membership.knownPeers.bind(membership);

  const enforcement = (): NodeEnforcement => enforcementOf(llc);
  const takesRuns = (): boolean => reserve.shortage === null;
  const troubles = (): string[] =>
    [
      reserve.shortage,
      launcher.trouble,
      disk.watch?.trouble ?? null,
      rest.certificateTrouble(),
      heldToken.trouble,
      keyKeeper.trouble,
    ].filter((each) => each !== null);
  const identity = { name: config.name, version: VERSION };
  const mayLag = (): boolean => backend.authority().kind === 'other';
  const bearers = new Bearers({ self: mesh.id, name: config.name, apiToken }, { ...common, mayLag });
  const backend: DaemonBackend = new DaemonBackend(identity, {
    ...common,
    bearers,
    clusterId,
    master,
    shelf,
    keeper,
    watch,
    host,
    enforcement,
    isRemoved: () => membership.isRemoved,
    invite: (target) =>
      invite(target, { ...common, master, clusterId, knownPeers, logger: log('membership') }),
    troubles,
    room: () => reserve.room,
  });
  const trusted = (): ReadonlySet<number> => trustedUsers(process.geteuid?.() ?? -1, launcher.speaksAsDaemon);
  const callers = new LocalCallers({ trusted }, { owners: new SocketOwners() });
  const rest = createRestServer(
    {
      ...config.rest,
      tls: tlsFilesOf(config),
      allowedHosts: config.allowedHost,
      rateLimit: config.rateLimit,
      maxUploadBytes: config.maxUploadBytes,
    },
    { ...ports, backend, localUser: (socket) => callers.trusted(socket), logger: log('rest') },
  );
  const self = new SelfDescription(identity, {
    ...common,
    clusterId,
    topology,
    worker,
    profilers,
    host,
    modelKeeper,
    seat,
    readMachine,
    takesRuns,
    troubles,
    enforcement,
    heard,
    rest,
  });
  const gossiper = new Gossiper({ mesh, board, self, changed, clock });
  const control = new ControlDesk({ master, consensus, worker, keys: keyKeeper, clock });
  const pushGate = new PushIntake({ maxBytes }, { keeper, isMaster: (id) => control.isMaster(id), clock });

  await worker.start();
  // Where programs work may be another disk than the node's own.
  if (launcher.root !== null) reserve.include(launcher.root);
  await reserve.start();
  stack.defer(() => reserve.stop());
  if (launcher.speaksAsDaemon) {
    const message =
      'programs run as the user of this node and reach its API, so on loopback this user is asked for a token, too';
    log('rest').warn({ tokenFile: apiTokenFile(config) }, message);
  }
  // After the partitions: whether they hold decides what can be measured by them.
  await profilers.start();
  await mesh.start({
    pushGate,
    onRaftFrame: (from, frame) => consensus.receive(from, frame),
    onControl: (from, request) => control.answer(from, request),
    onHttp: (from, stream) => rest.acceptForwarded(stream, from),
    onCapacity: (notice) => board.hear(notice),
    onDigest: (digest) => digests.hear(digest),
    onJoin: (from, request, proof) => membership.handleJoin(from, request, proof),
    onInspect: () => self.inspection(),
    // A member that is connected again needs no word: the next heartbeat finds out what it lacks.
    onPeerChange: (id, connected) => {
      if (!connected) consensus.peerLost(id);
    },
  });
  stack.defer(() => watch.stop());
  stack.use(consensus);
  await consensus.start();
  for (const part of [seat, keeper, keyKeeper, modelKeeper, heldToken, gossiper]) {
    part.start();
    stack.defer(() => part.stop());
  }
  stack.defer(() => membership.stop());
  const joined = await membership.start();
  if (!joined.ok) throw new StartError('MEMBERSHIP', joined.error.message);
  stack.use(rest);
  await rest.start();
  // Before all else: whoever waits for the log shall not wait for a disk that is full.
  stack.defer(() => store.giveUp());
  await untilServing(consensus, tables, mesh.id);
  return {
    ready: { peer: mesh.id, mesh: mesh.addresses(), rest: rest.url },
    failed,
    reload: () => rest.reloadTls(),
  };
}

const tlsFilesOf = ({ tlsCert, tlsKey }: NodeConfig): TlsFiles | null =>
  tlsCert === null || tlsKey === null ? null : { certFile: tlsCert, keyFile: tlsKey };

async function openPartitions(
  { llc, llcGeometry, dataDir, poolBandwidth }: NodeConfig,
  { emulate, searchPath }: StartOptions,
  node: { readonly nodeId: string; readonly onChange: () => void; readonly logger: Logger },
): Promise<ChosenPartitions> {
  const noteFile = join(dataDir, 'resctrl-root');
  const emulatorFile = join(dataDir, 'resctrl-emulated');
  const pool = { ...DEFAULT_POOL_LIMITS, bandwidthPercent: poolBandwidth };
  const topology = await discoverTopology({ geometry: llcGeometry });
  const chosen = await choosePartitions(
    { mode: llc, noteFile, emulatorFile, pool, searchPath },
    { ...node, topology, clock: systemClock, ...(emulate && { emulate }) },
  );
  if (!chosen.ok) throw new StartError('RESCTRL', `--llc resctrl: ${chosen.error}`);
  return chosen.value;
}

function enforcementOf({ kind, partitions }: ChosenPartitions): NodeEnforcement {
  if (kind === 'emulated') return 'emulated';
  return kind === 'resctrl' && partitions.view().state === 'holding' ? 'enforced' : 'unenforced';
}

function launcherOptions(
  config: NodeConfig,
  { searchPath, lang }: Pick<StartOptions, 'searchPath' | 'lang'>,
): ProcessLauncherOptions {
  const { dataDir, memoryLimit, cpuLimit, processLimit, openFileLimit, diskLimit } = config;
  const { sandbox, sandboxNetwork } = config;
  const directory = join(dataDir, 'work');
  return {
    directory,
    openDirectory: config.workDir ?? openWorkDirectory(directory),
    hidden: [dataDir],
    searchPath,
    ...(lang && { lang }),
    isolation: {
      runAs: chooseRunAs(config),
      sandbox,
      sandboxNetwork,
      limits: {
        memoryBytes: memoryLimit,
        cpus: cpuLimit,
        processes: processLimit,
        openFiles: openFileLimit,
        fileBytes: diskLimit,
      },
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
