import { create, toBinary } from '@bufbuild/protobuf';
import { decodeMessage, enumeration, malformed } from '../wire/message.ts';
import { narrow, small, wide } from '../wire/numbers.ts';
import {
  CapacityNoticeSchema,
  ClusterDigestSchema,
  Enforcement,
  Hold,
  type CapacityNotice as WireNotice,
} from './gossip_pb.ts';
import type { CapacityNotice, ClusterDigest, DomainMasks } from './index.ts';

const enforcements = enumeration([
  ['enforced', Enforcement.ENFORCED],
  ['emulated', Enforcement.EMULATED],
  ['unenforced', Enforcement.UNENFORCED],
] as const);

const holds = enumeration([
  ['partition', Hold.PARTITION],
  ['pool', Hold.POOL],
  ['counted', Hold.COUNTED],
] as const);

export function encodeNotice(notice: CapacityNotice): Uint8Array {
  const message = create(CapacityNoticeSchema, {
    node: notice.node,
    name: notice.name,
    version: notice.version,
    sequence: wide(notice.sequence),
    startedAtMs: wide(notice.startedAtMs),
    cpus: small(notice.cpus),
    cpuModel: notice.cpuModel,
    memoryBytes: wide(notice.memoryBytes),
    freeMemoryBytes: wide(notice.freeMemoryBytes),
    load1: notice.load1,
    enforcement: enforcements.encode(notice.enforcement),
    domains: notice.domains.map((domain) => ({
      id: small(domain.id),
      cpus: domain.cpus.map(small),
      ways: small(domain.ways),
      freeWays: small(domain.freeWays),
      wayBytes: wide(domain.wayBytes),
      ...(domain.masks == null ? {} : { masks: domain.masks }),
      minWays: small(domain.minWays ?? 1),
      ...(domain.occupancyBytes == null ? {} : { occupancyBytes: wide(domain.occupancyBytes) }),
      ...(domain.poolBandwidthPercent == null
        ? {}
        : { poolBandwidthPercent: small(domain.poolBandwidthPercent) }),
    })),
    runs: notice.runs.map((run) => ({
      runId: run.runId,
      attempt: small(run.attempt),
      domain: small(run.domain),
      ways: small(run.ways),
      ...(run.mask == null ? {} : { mask: run.mask }),
      ...(run.occupancyBytes == null ? {} : { occupancyBytes: wide(run.occupancyBytes) }),
      hold: run.hold == null ? Hold.UNSPECIFIED : holds.encode(run.hold),
      insensitive: run.insensitive ?? false,
    })),
    profilers: [...notice.profilers],
    ...(notice.modelVersion === null ? {} : { modelVersion: wide(notice.modelVersion) }),
    ...(notice.modelBackend === null ? {} : { modelBackend: notice.modelBackend }),
  });
  return toBinary(CapacityNoticeSchema, message);
}

/**
 * A notice that makes sense: loads are finite, no domain has more free ways than ways or appears twice.
 * @throws WireError MALFORMED
 */
export function decodeNotice(bytes: Uint8Array): CapacityNotice {
  const message = decodeMessage(CapacityNoticeSchema, bytes);
  if (message.node === '') throw malformed('the node');
  if (!Number.isFinite(message.load1) || message.load1 < 0) throw malformed('the load');
  if (new Set(message.domains.map(({ id }) => id)).size !== message.domains.length)
    throw malformed('a domain');
  return {
    node: message.node,
    name: message.name,
    version: message.version,
    sequence: narrow(message.sequence),
    startedAtMs: narrow(message.startedAtMs),
    cpus: message.cpus,
    cpuModel: message.cpuModel,
    memoryBytes: narrow(message.memoryBytes),
    freeMemoryBytes: narrow(message.freeMemoryBytes),
    load1: message.load1,
    enforcement: enforcements.decode(message.enforcement),
    domains: plainDomains(message),
    runs: message.runs.map((run) => ({
      runId: run.runId,
      attempt: run.attempt,
      domain: run.domain,
      ways: run.ways,
      mask: run.mask ?? null,
      occupancyBytes: orNull(run.occupancyBytes),
      hold: run.hold === Hold.UNSPECIFIED ? null : holds.decode(run.hold),
      insensitive: run.insensitive,
    })),
    profilers: message.profilers,
    modelVersion: message.modelVersion === undefined ? null : narrow(message.modelVersion),
    modelBackend: message.modelBackend ?? null,
  };
}

function plainDomains(message: WireNotice): CapacityNotice['domains'] {
  return message.domains.map((domain) => {
    const { id, cpus, ways, freeWays, masks } = domain;
    if (freeWays > ways) throw malformed('a number of free ways');
    return {
      id,
      cpus,
      ways,
      freeWays,
      wayBytes: narrow(domain.wayBytes),
      masks: masks === undefined ? null : plainMasks(masks),
      minWays: Math.max(1, domain.minWays),
      occupancyBytes: orNull(domain.occupancyBytes),
      poolBandwidthPercent: domain.poolBandwidthPercent ?? null,
    };
  });
}

const plainMasks = ({ reserve, foreign, io, pool }: DomainMasks): DomainMasks => ({
  reserve,
  foreign,
  io,
  pool,
});

const orNull = (value: bigint | undefined): number | null => (value === undefined ? null : narrow(value));

export function encodeDigest(digest: ClusterDigest): Uint8Array {
  const { members, tasks, profiles, runs, models, observations } = digest.versions;
  const message = create(ClusterDigestSchema, {
    term: wide(digest.term),
    master: digest.master,
    commitIndex: wide(digest.commitIndex),
    versions: {
      members: wide(members),
      tasks: wide(tasks),
      profiles: wide(profiles),
      runs: wide(runs),
      models: wide(models),
      observations: wide(observations),
    },
    queued: wide(digest.queued),
    running: wide(digest.running),
  });
  return toBinary(ClusterDigestSchema, message);
}

/** @throws WireError MALFORMED */
export function decodeDigest(bytes: Uint8Array): ClusterDigest {
  const { term, master, commitIndex, versions, queued, running } = decodeMessage(ClusterDigestSchema, bytes);
  if (master === '') throw malformed('the master');
  if (versions === undefined) throw malformed('the table versions');
  return {
    term: narrow(term),
    master,
    commitIndex: narrow(commitIndex),
    versions: {
      members: narrow(versions.members),
      tasks: narrow(versions.tasks),
      profiles: narrow(versions.profiles),
      runs: narrow(versions.runs),
      models: narrow(versions.models),
      observations: narrow(versions.observations),
    },
    queued: narrow(queued),
    running: narrow(running),
  };
}
