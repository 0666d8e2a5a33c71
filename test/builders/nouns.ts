/** Nouns for tests: each builder gives a whole one, and a test says only what it is about. */
import { apiTokenHash, joinKey, tokenId } from '../../protocols/proof/token-keys.ts';
import type { Dispatch } from '../../protocols/schema/attempt.ts';
import type { CapacityNotice, DomainCapacity, RunShare } from '../../protocols/schema/capacity.ts';
import type { Member, NewMember } from '../../protocols/schema/member.ts';
import type { RunResult, RunSpec } from '../../protocols/schema/run.ts';
import type { ApiToken, JoinToken } from '../../protocols/schema/token.ts';

/** A peer id that says whose it is: of the form of Ed25519 keys, though nobody has the key. */
export const peerId = (name: string): string =>
  `12D3KooWA${name.replace(/[^1-9A-HJ-NP-Za-km-z]/g, 'x')}`.padEnd(52, '1');

export const newMemberOf = (id: string, changes: Partial<NewMember> = {}): NewMember => ({
  id,
  name: id,
  addresses: ['/ip4/10.0.0.1/tcp/8300'],
  apiToken: null,
  ...changes,
});

export const memberOf = (id: string, changes: Partial<Member> = {}): Member => ({
  ...newMemberOf(id),
  mayVote: true,
  joinedBy: null,
  joinedAtMs: 1,
  ...changes,
});

export const joinTokenOf = (token: string, changes: Partial<JoinToken> = {}): JoinToken => ({
  id: tokenId(token),
  key: joinKey(token),
  name: 'test',
  createdAtMs: 1,
  createdBy: 'test',
  expiresAtMs: null,
  revokedAtMs: null,
  role: 'voter',
  uses: null,
  used: 0,
  ...changes,
});

export const apiTokenOf = (token: string, changes: Partial<ApiToken> = {}): ApiToken => ({
  id: tokenId(token),
  sha256: apiTokenHash(token),
  name: 'test',
  createdAtMs: 1,
  createdBy: 'test',
  expiresAtMs: null,
  revokedAtMs: null,
  scope: 'submit',
  ...changes,
});

export const domainOf = (changes: Partial<DomainCapacity> = {}): DomainCapacity => ({
  id: 0,
  cpus: [0, 1],
  ways: 16,
  freeWays: 16,
  wayBytes: 1 << 20,
  masks: { reserve: 0, foreign: 0, io: 0, pool: 0 },
  minWays: 1,
  occupancyBytes: null,
  poolBandwidthPercent: null,
  ...changes,
});

export const noticeOf = (node: string, changes: Partial<CapacityNotice> = {}): CapacityNotice => ({
  node,
  name: node,
  version: '0',
  sequence: 1,
  startedAtMs: 1,
  cpus: 2,
  cpuModel: 'test',
  memoryBytes: 1,
  freeMemoryBytes: 1,
  load1: 0,
  enforcement: 'unenforced',
  profilers: [],
  modelVersion: null,
  takesRuns: true,
  troubles: [],
  domains: [domainOf()],
  runs: [],
  ...changes,
});

export const shareOf = (changes: Partial<RunShare> = {}): RunShare => ({
  runId: 'r1',
  attempt: 1,
  domain: 0,
  ways: 1,
  hold: 'counted',
  mask: null,
  occupancyBytes: null,
  sensitive: true,
  ...changes,
});

export const specOf = (changes: Partial<RunSpec> = {}): RunSpec => ({
  id: 'r1',
  taskId: 't1',
  command: 'python3',
  inputSize: 100,
  parameters: null,
  droppedParameters: null,
  secrets: [],
  purpose: 'run',
  mode: 'BENCHMARKED',
  ways: 4,
  choice: null,
  pinnedTo: null,
  sensitive: true,
  measure: null,
  timeLimitMs: 60_000,
  idempotencyKey: null,
  createdAtMs: 1_000,
  ...changes,
});

const nothing = { kind: 'inline', encoding: 'utf8', data: '', size: 0, truncated: false } as const;

export const resultOf = (changes: Partial<RunResult> = {}): RunResult => ({
  pid: 7,
  exitStatus: 0,
  signal: null,
  stdout: nothing,
  stderr: nothing,
  executionTimeNs: 5_000_000,
  measurement: null,
  startedAtMs: 1_500,
  cpus: [0],
  enforcement: 'unenforced',
  enforcementReason: 'test',
  cacheUse: null,
  isolation: null,
  llc: null,
  ...changes,
});

export const dispatchOf = (changes: Partial<Dispatch> = {}): Dispatch => ({
  runId: 'r1',
  attempt: 1,
  term: 1,
  taskId: 't1',
  fileName: 'task.js',
  sha256: '0'.repeat(64),
  command: 'node',
  inputSize: 10,
  parameters: null,
  secrets: [],
  timeLimitMs: 60_000,
  domain: 0,
  ways: 4,
  measure: null,
  sensitive: true,
  ...changes,
});
