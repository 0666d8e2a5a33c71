/** What an attempt came to, between our shape and protobuf's. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { enumeration, malformed } from '../wire/message.ts';
import { narrow, small, wide } from '../wire/numbers.ts';
import {
  type AttemptReportSchema,
  type AttemptResultSchema,
  type CacheUseSchema,
  type CounterSummarySchema,
  EndState,
  Enforcement,
  type IsolationSchema,
  Limits,
  type MeasurementSchema,
  SandboxKind,
  type CacheUse as WireCacheUse,
  type CounterSummary as WireCounterSummary,
  type Isolation as WireIsolation,
  type Llc as WireLlc,
  type Measurement as WireMeasurement,
  type AttemptReport as WireReport,
  type AttemptResult as WireResult,
} from './control_pb.ts';
import type {
  AttemptReport,
  AttemptResult,
  CacheUse,
  CounterSummary,
  Isolation,
  Llc,
  Measurement,
} from './index.ts';

const endStates = enumeration([
  ['succeeded', EndState.SUCCEEDED],
  ['failed', EndState.FAILED],
  ['timed_out', EndState.TIMED_OUT],
  ['cancelled', EndState.CANCELLED],
] as const);

const enforcements = enumeration([
  ['enforced', Enforcement.ENFORCED],
  ['shared', Enforcement.SHARED],
  ['unenforced', Enforcement.UNENFORCED],
] as const);

const limits = enumeration([
  ['none', Limits.NONE],
  ['prlimit', Limits.PRLIMIT],
  ['cgroup', Limits.CGROUP],
] as const);

const sandboxes = enumeration([
  ['none', SandboxKind.NONE],
  ['bubblewrap', SandboxKind.BUBBLEWRAP],
] as const);

export function wireReport(report: AttemptReport): MessageInitShape<typeof AttemptReportSchema> {
  return {
    runId: report.runId,
    attempt: small(report.attempt),
    term: wide(report.term),
    state: endStates.encode(report.state),
    ...(report.result === null ? {} : { result: wireResult(report.result) }),
    ...(report.error === null ? {} : { error: report.error }),
    atMs: wide(report.atMs),
  };
}

/** @throws WireError MALFORMED */
export function plainReport(report: WireReport): AttemptReport {
  return {
    runId: report.runId,
    attempt: report.attempt,
    term: narrow(report.term),
    state: endStates.decode(report.state),
    result: report.result === undefined ? null : plainResult(report.result),
    error: report.error ?? null,
    atMs: narrow(report.atMs),
  };
}

function wireMeasurement({
  seconds,
  counts,
  processes,
}: Measurement): MessageInitShape<typeof MeasurementSchema> {
  const census = processes == null ? {} : { processes: { ...processes, count: small(processes.count) } };
  if (counts === null) return { seconds, ...census };
  const { cycles, iRefs, l1Misses, llMisses } = counts;
  return {
    seconds,
    ...census,
    counts: {
      cycles: wide(cycles),
      iRefs: wide(iRefs),
      l1Misses: wide(l1Misses),
      llMisses: wide(llMisses),
    },
  };
}

function plainMeasurement({ seconds, counts, processes: census }: WireMeasurement): Measurement {
  if (!Number.isFinite(seconds) || seconds < 0) throw malformed('a measurement');
  if (census !== undefined && !(census.share >= 0 && census.share <= 1)) throw malformed('a share');
  const processes =
    census === undefined ? null : { count: census.count, mostly: census.mostly, share: census.share };
  if (counts === undefined) return { seconds, processes, counts: null };
  return {
    seconds,
    processes,
    counts: {
      cycles: narrow(counts.cycles),
      iRefs: narrow(counts.iRefs),
      l1Misses: narrow(counts.l1Misses),
      llMisses: narrow(counts.llMisses),
    },
  };
}

function wireResult(result: AttemptResult): MessageInitShape<typeof AttemptResultSchema> {
  return {
    ...(result.pid === null ? {} : { pid: small(result.pid) }),
    exitStatus: small(result.exitStatus),
    ...(result.signal === null ? {} : { signal: result.signal }),
    stdout: result.stdout,
    stderr: result.stderr,
    executionTimeNs: wide(result.executionTimeNs),
    ...(result.measurement == null ? {} : { measurement: wireMeasurement(result.measurement) }),
    startedAtMs: wide(result.startedAtMs),
    cpus: result.cpus.map(small),
    enforcement: enforcements.encode(result.enforcement),
    ...(result.enforcementReason === null ? {} : { enforcementReason: result.enforcementReason }),
    ...(result.cacheUse == null ? {} : { cacheUse: wireCacheUse(result.cacheUse) }),
    ...(result.isolation == null ? {} : { isolation: wireIsolation(result.isolation) }),
    ...(result.llc == null ? {} : { llc: { ...result.llc, wayBytes: wide(result.llc.wayBytes) } }),
  };
}

function wireIsolation(isolation: Isolation): MessageInitShape<typeof IsolationSchema> {
  return {
    user: isolation.user,
    limits: limits.encode(isolation.limits),
    sandbox: sandboxes.encode(isolation.sandbox),
    network: isolation.network,
    pinned: isolation.pinned,
  };
}

function plainLlc({ ways, wayBytes, cpuModel }: WireLlc): Llc {
  return { ways, wayBytes: narrow(wayBytes), cpuModel };
}

function plainResult(result: WireResult): AttemptResult {
  const { stdout, stderr } = result;
  if (stdout === undefined || stderr === undefined) throw malformed('the output');
  return {
    pid: result.pid ?? null,
    exitStatus: result.exitStatus,
    signal: result.signal ?? null,
    stdout: { bytes: stdout.bytes, truncated: stdout.truncated },
    stderr: { bytes: stderr.bytes, truncated: stderr.truncated },
    executionTimeNs: narrow(result.executionTimeNs),
    measurement: result.measurement === undefined ? null : plainMeasurement(result.measurement),
    startedAtMs: narrow(result.startedAtMs),
    cpus: result.cpus,
    enforcement: enforcements.decode(result.enforcement),
    enforcementReason: result.enforcementReason ?? null,
    cacheUse: result.cacheUse === undefined ? null : plainCacheUse(result.cacheUse),
    isolation: result.isolation === undefined ? null : plainIsolation(result.isolation),
    llc: result.llc === undefined ? null : plainLlc(result.llc),
  };
}

function plainIsolation(isolation: WireIsolation): Isolation {
  return {
    user: isolation.user,
    limits: limits.decode(isolation.limits),
    sandbox: sandboxes.decode(isolation.sandbox),
    network: isolation.network,
    pinned: isolation.pinned,
  };
}

function wireCacheUse(use: CacheUse): MessageInitShape<typeof CacheUseSchema> {
  return {
    samples: small(use.samples),
    ...wireCounter('occupancy', use.occupancyBytes),
    ...wireCounter('bandwidth', use.bandwidthBytesPerSecond),
    ...wireCounter('localBandwidth', use.localBandwidthBytesPerSecond),
  };
}

function wireCounter<F extends string>(
  field: F,
  summary: CounterSummary | null,
): { [name in F]?: MessageInitShape<typeof CounterSummarySchema> } {
  return summary === null ? {} : ({ [field]: summary } as { [name in F]: CounterSummary });
}

function plainCacheUse(use: WireCacheUse): CacheUse {
  return {
    samples: use.samples,
    occupancyBytes: plainCounter(use.occupancy),
    bandwidthBytesPerSecond: plainCounter(use.bandwidth),
    localBandwidthBytesPerSecond: plainCounter(use.localBandwidth),
  };
}

function plainCounter(summary: WireCounterSummary | undefined): CounterSummary | null {
  if (summary === undefined) return null;
  const { last, peak, mean } = summary;
  if (![last, peak, mean].every((value) => Number.isFinite(value) && value >= 0))
    throw malformed('a counter');
  return { last, peak, mean };
}
