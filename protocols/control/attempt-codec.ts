/** What an attempt came to, between our shape and protobuf's. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { enumeration, malformed } from '../wire/message.ts';
import { narrow, small, wide } from '../wire/numbers.ts';
import {
  type AttemptReportSchema,
  type AttemptResultSchema,
  EndState,
  Enforcement,
  type IsolationSchema,
  Limits,
  type MeasurementSchema,
  type OccupancySchema,
  SandboxKind,
  type Isolation as WireIsolation,
  type Llc as WireLlc,
  type Measurement as WireMeasurement,
  type Occupancy as WireOccupancy,
  type AttemptReport as WireReport,
  type AttemptResult as WireResult,
} from './control_pb.ts';
import type { AttemptReport, AttemptResult, Isolation, Llc, Measurement, Occupancy } from './index.ts';

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

function wireMeasurement({ seconds, counts }: Measurement): MessageInitShape<typeof MeasurementSchema> {
  if (counts === null) return { seconds };
  const { cycles, iRefs, l1Misses, llMisses } = counts;
  return {
    seconds,
    counts: {
      cycles: wide(cycles),
      iRefs: wide(iRefs),
      l1Misses: wide(l1Misses),
      llMisses: wide(llMisses),
    },
  };
}

function plainMeasurement({ seconds, counts }: WireMeasurement): Measurement {
  if (!Number.isFinite(seconds) || seconds < 0) throw malformed('a measurement');
  if (counts === undefined) return { seconds, counts: null };
  return {
    seconds,
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
    ...(result.isolation == null ? {} : { isolation: wireIsolation(result.isolation) }),
    ...(result.llc == null ? {} : { llc: { ...result.llc, wayBytes: wide(result.llc.wayBytes) } }),
    ...(result.occupancy == null ? {} : { occupancy: wireOccupancy(result.occupancy) }),
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

function wireOccupancy({ meanBytes, peakBytes }: Occupancy): MessageInitShape<typeof OccupancySchema> {
  return { meanBytes: wide(meanBytes), peakBytes: wide(peakBytes) };
}

function plainOccupancy({ meanBytes, peakBytes }: WireOccupancy): Occupancy {
  return { meanBytes: narrow(meanBytes), peakBytes: narrow(peakBytes) };
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
    isolation: result.isolation === undefined ? null : plainIsolation(result.isolation),
    llc: result.llc === undefined ? null : plainLlc(result.llc),
    occupancy: result.occupancy === undefined ? null : plainOccupancy(result.occupancy),
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
