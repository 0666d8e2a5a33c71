/** The replicated tables as the JSON of REST: snake_case, times in RFC 3339, the seed's names where it has them. */
import type {
  CacheUse,
  Measure,
  Measurement,
  Profile,
  Run,
  RunChoice,
  Task,
  TerminalState,
} from '../state/types.ts';
import type { ClusterView, DriftView, MemberView, RestBackend, RunView, TaskView } from './backend.ts';
import { renderSeconds, timestamp, timestampOrNull } from './duration.ts';
import type { ClusterJson, WorkerJson } from './schemas/cluster.ts';
import type { ResultJson, RunDetailJson, RunSummaryJson } from './schemas/runs.ts';
import type { HealthJson } from './schemas/service.ts';
import type { DriftJson, TaskDetailJson, TaskJson } from './schemas/tasks.ts';

const terminal: ReadonlySet<string> = new Set<TerminalState>([
  'succeeded',
  'failed',
  'timed_out',
  'cancelled',
  'lost',
]);
export const hasEnded = (run: Run): boolean => terminal.has(run.state);

export const presentTask = (task: Task): TaskJson => ({
  task_id: task.id,
  name: task.name,
  file_name: task.fileName,
  sha256: task.sha256,
  size: task.size,
  command: task.command,
  created_at: timestamp(task.createdAtMs),
});

export const presentDrift = (drift: DriftView | null): DriftJson | null =>
  drift && {
    since: timestamp(drift.sinceMs),
    input_size: drift.inputSize,
    ways: drift.ways,
    before_seconds: drift.beforeSeconds,
    after_seconds: drift.afterSeconds,
    message: drift.message,
  };

export const presentTaskDetail = ({ task, profiles, drift }: TaskView): TaskDetailJson => ({
  ...presentTask(task),
  profiles: profiles.map((profile) => ({
    input_size: profile.inputSize,
    command: profile.command,
    profiler: profile.profiler,
    note: profile.note ?? null,
    ways: profile.ways,
    way_bytes: profile.wayBytes,
    cpu_model: profile.cpuModel,
    node: profile.node,
    measured_at: timestamp(profile.measuredAtMs),
    points: profile.points.map((point) => ({
      ways: point.ways,
      seconds: [...point.seconds],
      mean_seconds: mean(point.seconds),
      spread_seconds: spread(point.seconds),
    })),
  })),
  drift: presentDrift(drift),
});

const mean = (values: readonly number[]): number | null =>
  values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;

/** Standard deviation of the sample; null below two. */
function spread(values: readonly number[]): number | null {
  const centre = mean(values);
  if (centre === null || values.length < 2) return null;
  const squares = values.reduce((sum, value) => sum + (value - centre) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1));
}

/** The mean time with the most ways, for people. */
export function presentBestTime(profile: Profile): string {
  const best = profile.points.reduce<Profile['points'][number] | undefined>(
    (most, point) => (most === undefined || point.ways > most.ways ? point : most),
    undefined,
  );
  return renderSeconds(mean(best?.seconds ?? []) ?? 0);
}

export const presentRun = (run: Run): RunSummaryJson => ({
  run_id: run.spec.id,
  task_id: run.spec.taskId,
  purpose: run.spec.purpose,
  mode: run.spec.mode,
  state: run.state,
  command: run.spec.command,
  input_size: run.spec.inputSize,
  time_limit_seconds: run.spec.timeLimitMs / 1000,
  node: run.assignment?.node ?? null,
  domain: run.assignment?.domain ?? null,
  ways: run.assignment?.ways ?? run.spec.ways,
  choice: presentChoice(run.spec.choice ?? null),
  measure: presentMeasure(run.spec.measure ?? null),
  measurement: presentMeasurement(run.result?.measurement ?? null),
  attempts: run.attempts,
  created_at: timestamp(run.spec.createdAtMs),
  started_at: timestampOrNull(run.startedAtMs),
  finished_at: timestampOrNull(run.finishedAtMs),
  error: run.error,
});

const presentChoice = (choice: RunChoice | null): RunSummaryJson['choice'] =>
  choice && {
    needed: choice.needed,
    ways: choice.ways,
    expected_slowdown: choice.expected,
    at_most: choice.atMost,
    max_slowdown: choice.maxSlowdown,
    model: choice.model,
    model_version: choice.modelVersion,
  };

const presentMeasure = (measure: Measure | null): RunSummaryJson['measure'] =>
  measure && { profiler: measure.profiler, ways: measure.ways, way_bytes: measure.wayBytes };

const presentMeasurement = (measurement: Measurement | null): RunSummaryJson['measurement'] =>
  measurement && {
    seconds: measurement.seconds,
    cycles: measurement.counts?.cycles ?? null,
    i_refs: measurement.counts?.iRefs ?? null,
    l1_misses: measurement.counts?.l1Misses ?? null,
    ll_misses: measurement.counts?.llMisses ?? null,
  };

export const presentRunDetail = (view: RunView): RunDetailJson => ({
  ...presentRun(view.run),
  result: hasEnded(view.run) ? presentResult(view) : null,
});

/** A run that ended without a result (cancelled in the queue, lost) has no pid, no exit status and no time. */
export function presentResult({ run, stdout, stderr }: RunView): ResultJson {
  const { spec, assignment, result } = run;
  const ns = result?.executionTimeNs ?? 0;
  const ways = assignment?.ways ?? spec.ways;
  return {
    id: spec.id,
    cos: ways,
    command: spec.command,
    input_size: spec.inputSize,
    pid: result?.pid ?? null,
    stdout: stdout ?? '',
    stderr: stderr ?? '',
    exit_status: result?.exitStatus ?? null,
    timestamp: timestampOrNull(result?.startedAtMs ?? run.startedAtMs),
    execution_time: { secs: Math.floor(ns / 1e9), nanos: Math.round(ns % 1e9) },
    node: assignment?.node ?? null,
    domain: assignment?.domain ?? null,
    ways,
    enforcement: result?.enforcement ?? null,
    enforcement_reason: result?.enforcementReason ?? null,
    cache_use: presentCacheUse(result?.cacheUse ?? null),
    isolation: result?.isolation ?? null,
    choice: presentChoice(spec.choice ?? null),
    state: run.state,
    error: run.error,
    attempts: run.attempts,
    cpus: [...(result?.cpus ?? [])],
    stdout_truncated: result?.stdout.truncated ?? false,
    stderr_truncated: result?.stderr.truncated ?? false,
  };
}

const presentCacheUse = (use: CacheUse | null): ResultJson['cache_use'] =>
  use && {
    samples: use.samples,
    occupancy_bytes: use.occupancyBytes,
    bandwidth_bytes_per_second: use.bandwidthBytesPerSecond,
    local_bandwidth_bytes_per_second: use.localBandwidthBytesPerSecond,
  };

export function presentWorker({ member, role, host, alive, lastHeardMs, capacity }: MemberView): WorkerJson {
  const domains = capacity?.domains ?? [];
  const total = (ways: (domain: (typeof domains)[number]) => number) =>
    capacity === null ? null : domains.reduce((sum, domain) => sum + ways(domain), 0);
  return {
    id: member.id,
    name: member.name,
    host,
    addresses: [...member.addresses],
    role,
    alive,
    last_heard_seconds: lastHeardMs === null ? null : Math.round(lastHeardMs) / 1000,
    joined_at: timestamp(member.joinedAtMs),
    version: capacity?.version ?? null,
    cpus: capacity?.cpus ?? null,
    cpu_model: capacity?.cpuModel ?? null,
    memory_bytes: capacity?.memoryBytes ?? null,
    free_memory_bytes: capacity?.freeMemoryBytes ?? null,
    load: capacity?.load1 ?? null,
    enforcement: capacity?.enforcement ?? null,
    profilers: [...(capacity?.profilers ?? [])],
    ways: total((domain) => domain.ways),
    free_ways: total((domain) => domain.freeWays),
    llc: domains.map((domain) => ({
      id: domain.id,
      cpus: [...domain.cpus],
      ways: domain.ways,
      free_ways: domain.freeWays,
      way_bytes: domain.wayBytes,
      masks: domain.masks,
      occupancy_bytes: domain.occupancyBytes,
      pool_bandwidth_percent: domain.poolBandwidthPercent,
      runs: domain.runs.map((run) => ({
        run_id: run.runId,
        attempt: run.attempt,
        ways: run.ways,
        hold: run.hold,
        mask: run.mask,
        occupancy_bytes: run.occupancyBytes,
      })),
    })),
  };
}

export const presentCluster = (view: ClusterView): ClusterJson => ({
  cluster_id: view.clusterId,
  term: view.consensus.term,
  master: view.consensus.leader,
  voters: [...view.consensus.configuration.voters],
  learners: [...view.consensus.configuration.learners],
  commit_index: view.consensus.commitIndex,
  applied_index: view.consensus.appliedIndex,
  last_index: view.consensus.lastIndex,
  members: view.members.map(presentWorker),
  health: { state: view.health.state, reasons: [...view.health.reasons] },
  versions: { ...view.versions },
  queued: view.queued,
  running: view.running,
});

const NO_MASTER_YET = 'there is no master now: an election is under way, or a majority of the voters is down';

export function presentHealth(health: ReturnType<RestBackend['localHealth']>): HealthJson {
  const { consensus } = health;
  const votes = consensus.configuration.voters.includes(health.id);
  return {
    status: health.removed !== null ? 'removed' : consensus.leader === null ? 'no_master' : 'ok',
    message: health.removed ?? (consensus.leader === null ? NO_MASTER_YET : null),
    id: health.id,
    name: health.name,
    version: health.version,
    role: consensus.role === 'leader' && consensus.ready ? 'master' : votes ? 'voter' : 'learner',
    term: consensus.term,
    master: consensus.leader,
    enforcement: health.enforcement,
    uptime_seconds: health.uptimeSeconds,
  };
}
