/** Arbitraries of every message, for properties. */
import fc from 'fast-check';

const text = fc.string({ maxLength: 40, unit: 'grapheme' });
const whole = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const short = fc.nat({ max: 0xffff_ffff });
const bytes = fc.uint8Array({ maxLength: 300 });
const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });
const kind = <T extends string>(type: T) => fc.constant(type);
const texts = fc.array(text, { maxLength: 5 });

const output = fc.record({ bytes, truncated: fc.boolean() });
const member = fc.record({ id: text, name: text, addresses: texts });
const known = fc.array(fc.record({ id: text, addresses: texts }), { maxLength: 5 });
const isolation = fc.record({
  user: text,
  limits: fc.constantFrom('cgroup', 'prlimit', 'none'),
  sandbox: fc.constantFrom('bubblewrap', 'none'),
  network: fc.boolean(),
  pinned: fc.boolean(),
});
const measurement = fc.record({
  seconds: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
  processes: orNull(
    fc.record({ count: short, mostly: text, share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  ),
  counts: orNull(fc.record({ cycles: whole, iRefs: whole, l1Misses: whole, llMisses: whole })),
});
const positive = fc.double({ min: 0, noNaN: true, noDefaultInfinity: true });
const counter = orNull(fc.record({ last: positive, peak: positive, mean: positive }));
const cacheUse = fc.record({
  samples: short,
  occupancyBytes: counter,
  bandwidthBytesPerSecond: counter,
  localBandwidthBytesPerSecond: counter,
});
const result = fc.record({
  pid: orNull(short),
  exitStatus: fc.nat({ max: 255 }),
  signal: orNull(text),
  stdout: output,
  stderr: output,
  executionTimeNs: whole,
  measurement: orNull(measurement),
  startedAtMs: whole,
  cpus: fc.array(short, { maxLength: 5 }),
  enforcement: fc.constantFrom('enforced', 'shared', 'unenforced'),
  enforcementReason: orNull(text),
  cacheUse: orNull(cacheUse),
  isolation: orNull(isolation),
  llc: orNull(fc.record({ ways: short, wayBytes: whole, cpuModel: text })),
});
const report = fc.record({
  runId: text,
  attempt: short,
  term: whole,
  state: fc.constantFrom('succeeded', 'failed', 'timed_out', 'cancelled'),
  result: orNull(result),
  error: orNull(text),
  atMs: whole,
});
const dispatch = fc.record({
  runId: text,
  attempt: short,
  term: whole,
  taskId: text,
  fileName: text,
  sha256: text,
  command: text,
  inputSize: whole,
  parameters: orNull(text),
  timeLimitMs: whole,
  domain: short,
  ways: short,
  measure: orNull(
    fc.record({
      profiler: fc.constantFrom('wallclock', 'cachegrind', 'resctrl'),
      ways: short,
      wayBytes: whole,
    }),
  ),
  sensitive: fc.boolean(),
});
const held = fc.record({
  runId: text,
  attempt: short,
  term: whole,
  domain: short,
  ways: short,
  phase: fc.constantFrom('running', 'reporting'),
});

export const controlRequest = fc.oneof(
  fc.record({ type: kind('admit'), member }),
  fc.record({ type: kind('started'), runId: text, attempt: short, term: whole, atMs: whole }),
  fc.record({ type: kind('report'), report }),
  fc.record({ type: kind('dispatch'), dispatch }),
  fc.record({ type: kind('cancel'), runId: text, attempt: short }),
  fc.record({ type: kind('held') }),
  fc.record({
    type: kind('output'),
    runId: text,
    attempt: short,
    stream: fc.constantFrom('stdout', 'stderr'),
    offset: whole,
  }),
);

export const controlResponse = fc.oneof(
  fc.record({ type: kind('ok') }),
  fc.record({ type: kind('not-master'), master: orNull(text) }),
  fc.record({ type: kind('refused'), code: text, message: text }),
  fc.record({ type: kind('held'), attempts: fc.array(held, { maxLength: 5 }) }),
  fc.record({ type: kind('output'), bytes, ended: fc.boolean() }),
);

export const joinRequest = fc.oneof(
  fc.record({ type: kind('join'), member }),
  fc.record({ type: kind('invite'), clusterId: text, members: known }),
);

export const joinResponse = fc.oneof(
  fc.record({ type: kind('admitted'), clusterId: text, members: known }),
  fc.record({ type: kind('accepted'), member }),
  fc.record({ type: kind('refused'), code: text, message: text }),
);

const sha256 = fc.stringMatching(/^[0-9a-f]{64}$/);
export const blobRequest = fc.oneof(
  fc.record({ type: kind('push'), sha256, size: whole }),
  fc.record({ type: kind('fetch'), sha256 }),
);

export const blobReply = fc.oneof(
  fc.record({ type: kind('proceed'), size: whole }),
  fc.record({ type: kind('stored') }),
  fc.record({
    type: kind('failure'),
    failure: fc.record({ code: fc.constantFrom('MISSING', 'MISMATCH', 'DISK'), message: text }),
  }),
);

const domain = fc
  .record({
    cpus: fc.array(short, { maxLength: 5 }),
    ways: short,
    freeWays: short,
    wayBytes: whole,
    masks: orNull(fc.record({ reserve: short, foreign: short, io: short, pool: short })),
    minWays: fc.integer({ min: 1, max: 4 }),
    occupancyBytes: orNull(whole),
    poolBandwidthPercent: orNull(fc.integer({ min: 1, max: 100 })),
  })
  .map(({ ways, freeWays, ...rest }) => ({
    ...rest,
    ways: Math.max(ways, freeWays),
    freeWays: Math.min(ways, freeWays),
  }));

export const capacityNotice = fc.record({
  node: fc.string({ minLength: 1, maxLength: 20 }),
  name: text,
  version: text,
  sequence: whole,
  startedAtMs: whole,
  cpus: short,
  cpuModel: text,
  memoryBytes: whole,
  freeMemoryBytes: whole,
  load1: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
  enforcement: fc.constantFrom('enforced', 'emulated', 'unenforced'),
  domains: fc.array(domain, { maxLength: 4 }).map((list) => list.map((item, id) => ({ id, ...item }))),
  runs: fc.array(
    fc.record({
      runId: text,
      attempt: short,
      domain: short,
      ways: short,
      mask: orNull(short),
      occupancyBytes: orNull(whole),
      hold: orNull(fc.constantFrom('partition', 'pool', 'counted')),
      insensitive: fc.boolean(),
    }),
    { maxLength: 5 },
  ),
  profilers: texts,
  modelVersion: orNull(whole),
  modelBackend: orNull(text),
});

export const clusterDigest = fc.record({
  term: whole,
  master: fc.string({ minLength: 1, maxLength: 20 }),
  commitIndex: whole,
  versions: fc.record({
    members: whole,
    tasks: whole,
    profiles: whole,
    runs: whole,
    models: whole,
    observations: whole,
  }),
  queued: whole,
  running: whole,
});
