/**
 * The replicated tables: members, tasks, profiles, runs, run times, models, tokens, the id of the cluster's key, the audit trail. The state machine of the log: the same
 * entries give the same tables on every node. Indexes are derived and never stored.
 */
import { createHash } from 'node:crypto';
import type { TableVersions } from '../../protocols/schema/capacity.ts';
import type { Command } from '../../protocols/schema/command.ts';
import { MAX_MEMBERS } from '../../protocols/schema/fields.ts';
import type { Member } from '../../protocols/schema/member.ts';
import { isTerminal, type Run } from '../../protocols/schema/run.ts';
import type { Profile, Task } from '../../protocols/schema/task.ts';
import type { AuditEntry } from '../../protocols/schema/token.ts';
import type { NodeId, StateMachine } from '../consensus/types.ts';
import type { Cancel } from '../ports.ts';
import { AuditTrail } from './audit-trail.ts';
import { ClusterKeyTable } from './cluster-keys.ts';
import { decodeCommand } from './commands.ts';
import { dropInputs } from './inputs.ts';
import { ModelTable } from './models.ts';
import { assignRun, cancelRun, createRun, finishRun, requeueRun, startRun } from './run-lifecycle.ts';
import { RunTimeTable } from './run-times.ts';
import { TokenTable } from './tokens.ts';
import type { ApplyResult, RunTimes } from './types.ts';

/**
 * Of the runs that are over, this many are kept, and of their outputs in the record so much; the one that ended longest
 * ago goes first.
 */
export const KEPT_FINISHED_RUNS = 10_000;
const KEPT_FINISHED_BYTES = 64 * 1024 * 1024;

const NO_CHANGES: TableVersions = {
  members: 0,
  tasks: 0,
  profiles: 0,
  runs: 0,
  models: 0,
  observations: 0,
};
const OK: ApplyResult = { ok: true };
const NOT_FOUND: ApplyResult = { ok: false, code: 'NOT_FOUND' };
const STALE: ApplyResult = { ok: false, code: 'STALE' };
const EXISTS: ApplyResult = { ok: false, code: 'EXISTS' };
const FULL: ApplyResult = { ok: false, code: 'FULL' };

/** What of a record can be large: outputs that aren't files. */
function recordBytes({ result }: Run): number {
  if (result === null) return 0;
  return [result.stdout, result.stderr].reduce(
    (sum, output) => sum + (output.kind === 'inline' ? output.data.length : 0),
    0,
  );
}

export type AppliedListener = (command: Command, result: ApplyResult) => void;

export class Tables implements StateMachine<ApplyResult> {
  readonly #members = new Map<NodeId, Member>();
  readonly #tasks = new Map<string, Task>();
  readonly #taskByName = new Map<string, Task>();
  /** By task, then by input size and profiler. */
  readonly #profiles = new Map<string, Map<string, Profile>>();
  readonly #runs = new Map<string, Run>();
  /** Runs that are not over, in the order of their creation. */
  readonly #active = new Set<string>();
  readonly #finished = new Set<string>();
  readonly #runByKey = new Map<string, string>();
  readonly #runTimes = new RunTimeTable();
  readonly #models = new ModelTable();
  readonly #tokens = new TokenTable();
  readonly #audit = new AuditTrail();
  readonly #clusterKeys = new ClusterKeyTable();
  readonly #versions = { ...NO_CHANGES };
  readonly #listeners = new Set<AppliedListener>();
  readonly #keptFinishedRuns: number;
  readonly #keptFinishedBytes: number;
  #finishedBytes = 0;

  constructor(options: { readonly keptFinishedRuns?: number; readonly keptFinishedBytes?: number } = {}) {
    this.#keptFinishedRuns = options.keptFinishedRuns ?? KEPT_FINISHED_RUNS;
    this.#keptFinishedBytes = options.keptFinishedBytes ?? KEPT_FINISHED_BYTES;
  }

  apply(data: Uint8Array, _index: number): ApplyResult {
    const command = decodeCommand(data);
    if (!command) return { ok: false, code: 'MALFORMED' };
    const result = this.#applyCommand(command);
    for (const listener of this.#listeners) listener(command, result);
    return result;
  }

  /** Empty again; listeners stay. */
  reset(): void {
    for (const table of [
      this.#members,
      this.#tasks,
      this.#taskByName,
      this.#profiles,
      this.#runs,
      this.#runByKey,
    ]) {
      table.clear();
    }
    this.#active.clear();
    this.#finished.clear();
    this.#runTimes.clear();
    this.#models.clear();
    this.#tokens.clear();
    this.#audit.clear();
    this.#clusterKeys.clear();
    Object.assign(this.#versions, NO_CHANGES);
    this.#finishedBytes = 0;
  }

  onApplied(listener: AppliedListener): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  members(): readonly Member[] {
    return [...this.#members.values()];
  }
  member(id: NodeId): Member | undefined {
    return this.#members.get(id);
  }
  /** Oldest first. */
  tasks(): readonly Task[] {
    return [...this.#tasks.values()];
  }
  task(id: string): Task | undefined {
    return this.#tasks.get(id);
  }
  /** The newest task with this function name. */
  taskNamed(name: string): Task | undefined {
    return this.#taskByName.get(name);
  }
  profiles(taskId: string): readonly Profile[] {
    return [...(this.#profiles.get(taskId)?.values() ?? [])];
  }
  run(id: string): Run | undefined {
    return this.#runs.get(id);
  }
  /** All kept runs, in the order of their creation. */
  runs(): IterableIterator<Run> {
    return this.#runs.values();
  }
  runWithKey(idempotencyKey: string): Run | undefined {
    const id = this.#runByKey.get(idempotencyKey);
    return id === undefined ? undefined : this.#runs.get(id);
  }
  /** Runs that are not over, in the order of their creation. */
  activeRuns(): readonly Run[] {
    const runs: Run[] = [];
    for (const id of this.#active) {
      const run = this.#runs.get(id);
      if (run) runs.push(run);
    }
    return runs;
  }
  /** What runs of a task took, by command and input size; the one with the latest run last. */
  runTimes(taskId: string): readonly RunTimes[] {
    return this.#runTimes.of(taskId);
  }
  get models(): Omit<ModelTable, 'put' | 'drop' | 'select' | 'clear'> {
    return this.#models;
  }
  get tokens(): Pick<TokenTable, 'join' | 'api' | 'joinTokens' | 'apiTokens' | 'removedAt'> {
    return this.#tokens;
  }
  /** Oldest first. */
  audit(): readonly AuditEntry[] {
    return this.#audit.entries();
  }
  get clusterKey(): Pick<ClusterKeyTable, 'current' | 'removals' | 'isFresh'> {
    return this.#clusterKeys;
  }
  versions(): TableVersions {
    return { ...this.#versions };
  }
  /** Whether nobody has done anything here yet: the only member, and the token that it was founded with, are no work. */
  get isEmpty(): boolean {
    const isUnused = this.#tasks.size === 0 && this.#runs.size === 0 && this.#tokens.hasOnlyFounding;
    return isUnused && this.#members.size <= 1;
  }

  /** SHA-256 of all tables: equal on two nodes exactly when the tables are. Walks everything; for inspection. */
  fingerprint(): string {
    const profiles = [...this.#profiles.values()].flatMap((bySize) => [...bySize.values()]);
    const runs = [...this.#runs.values()];
    const learned = [this.#runTimes.all(), this.#models];
    const doors = [this.#tokens, this.#audit, this.#clusterKeys];
    const tables = [this.members(), this.tasks(), profiles, runs, learned, doors, this.#versions];
    return createHash('sha256').update(JSON.stringify(tables)).digest('hex');
  }

  #applyCommand(command: Command): ApplyResult {
    switch (command.type) {
      case 'member-put':
        return this.#putMember(command.member);
      case 'member-admit':
        return this.#admit(command);
      case 'member-remove':
        return this.#removeMember(command);
      case 'join-token-put':
        return this.#tokens.putJoin(command) ? this.#changed('members') : EXISTS;
      case 'api-token-put':
        return this.#tokens.putApi(command) ? this.#changed('members') : EXISTS;
      case 'token-revoke':
        return this.#tokens.revoke(command.id, command.atMs) ? this.#changed('members') : NOT_FOUND;
      case 'audit':
        this.#audit.append(command.entry);
        return OK;
      case 'cluster-key-put':
        return this.#clusterKeys.put(command.id, command.removals) ? this.#changed('members') : STALE;
      case 'task-create':
        return this.#createTask(command.task);
      case 'task-secrets':
        return this.#sealTask(command);
      case 'profile-put':
        return this.#putProfile(command.profile);
      case 'run-create':
        return this.#createRun(command);
      case 'run-assign':
        return this.#stepRun(command.runId, (run) => assignRun(run, command));
      case 'run-start':
        return this.#stepRun(command.runId, (run) => startRun(run, command));
      case 'run-finish':
        return this.#finishRun(command);
      case 'run-requeue':
        return this.#stepRun(command.runId, (run) => requeueRun(run, command));
      case 'run-cancel':
        return this.#stepRun(command.runId, (run) => cancelRun(run, command));
      case 'model-put':
        return this.#putModel(command);
      case 'model-drop':
        this.#models.drop(command.model);
        return this.#changed('models');
      case 'model-select':
        return this.#models.select(command.version) ? this.#changed('models') : NOT_FOUND;
    }
  }

  #changed(table: keyof TableVersions): ApplyResult {
    this.#versions[table] += 1;
    return OK;
  }

  #putMember(member: Member): ApplyResult {
    const known = this.#members.has(member.id);
    if (!known && this.#isFull()) return FULL;
    // News of its address may overtake its removal on the way to the log; it needs a token to come back.
    if (!known && this.#tokens.removedAt(member.id) !== null) return { ok: false, code: 'REMOVED' };
    this.#members.set(member.id, member);
    return this.#changed('members');
  }

  #admit({ member, tokenId, atMs }: Extract<Command, { type: 'member-admit' }>): ApplyResult {
    const isKnown = this.#members.has(member.id);
    if (!isKnown && this.#isFull()) return FULL;
    const fault = this.#tokens.use(member.id, isKnown, tokenId, atMs);
    if (fault !== null) return { ok: false, code: fault };
    // Whoever has seen its proof can bring that again: news of itself a member brings by its own word.
    if (isKnown) return OK;
    this.#members.set(member.id, member);
    return this.#changed('members');
  }

  /**
   * Admissions that are under way together may each have found room. Logs from before this was looked at hold no more
   * members either: a configuration of more could not be read.
   */
  #isFull(): boolean {
    return this.#members.size >= MAX_MEMBERS;
  }

  #removeMember({ id, atMs }: Extract<Command, { type: 'member-remove' }>): ApplyResult {
    const member = this.#members.get(id);
    if (!member) return NOT_FOUND;
    this.#members.delete(id);
    this.#tokens.remove(member, atMs);
    this.#clusterKeys.memberRemoved();
    return this.#changed('members');
  }

  #createTask(task: Task): ApplyResult {
    if (this.#tasks.has(task.id)) return EXISTS;
    if (!this.#clusterKeys.accepts(task.secrets)) return STALE;
    this.#tasks.set(task.id, task);
    this.#taskByName.set(task.name, task);
    return this.#changed('tasks');
  }

  #sealTask({ taskId, secrets }: Extract<Command, { type: 'task-secrets' }>): ApplyResult {
    const task = this.#tasks.get(taskId);
    if (!task) return NOT_FOUND;
    if (!this.#clusterKeys.accepts(secrets)) return STALE;
    const sealed = { ...task, secrets };
    this.#tasks.set(taskId, sealed);
    if (this.#taskByName.get(task.name) === task) this.#taskByName.set(task.name, sealed);
    return this.#changed('tasks');
  }

  #putProfile(profile: Profile): ApplyResult {
    if (!this.#tasks.has(profile.taskId)) return NOT_FOUND;
    const bySize = this.#profiles.get(profile.taskId) ?? new Map<string, Profile>();
    bySize.set(`${profile.inputSize} ${profile.profiler}`, profile);
    this.#profiles.set(profile.taskId, bySize);
    return this.#changed('profiles');
  }

  #createRun({ spec, assignment }: Extract<Command, { type: 'run-create' }>): ApplyResult {
    if (!this.#tasks.has(spec.taskId)) return NOT_FOUND;
    const same = spec.idempotencyKey === null ? undefined : this.#runByKey.get(spec.idempotencyKey);
    if (same !== undefined) return { ok: false, code: 'EXISTS', runId: same };
    if (this.#runs.has(spec.id)) return { ok: false, code: 'EXISTS', runId: spec.id };
    if (!this.#clusterKeys.accepts(spec.secrets)) return STALE;
    this.#runs.set(spec.id, createRun(spec, assignment));
    this.#active.add(spec.id);
    if (spec.idempotencyKey !== null) this.#runByKey.set(spec.idempotencyKey, spec.id);
    this.#changed('runs');
    return { ok: true, runId: spec.id };
  }

  #stepRun(runId: string, step: (run: Run) => Run | null): ApplyResult {
    const run = this.#runs.get(runId);
    if (!run) return NOT_FOUND;
    const next = step(run);
    if (!next) return STALE;
    const over = isTerminal(next);
    const kept = over ? dropInputs(next) : next;
    this.#runs.set(runId, kept);
    if (over) {
      this.#active.delete(runId);
      this.#finished.add(runId);
      this.#finishedBytes += recordBytes(kept);
      this.#dropOldest();
    }
    return this.#changed('runs');
  }

  #finishRun(command: Extract<Command, { type: 'run-finish' }>): ApplyResult {
    const result = this.#stepRun(command.runId, (run) => finishRun(run, command));
    const run = result.ok ? this.#runs.get(command.runId) : undefined;
    if (run && this.#runTimes.record(run)) this.#changed('observations');
    return result;
  }

  #putModel({ model }: Extract<Command, { type: 'model-put' }>): ApplyResult {
    const modelVersion = this.#models.put(model);
    if (modelVersion === null) return STALE;
    this.#changed('models');
    return { ok: true, modelVersion };
  }

  #dropOldest(): void {
    for (const id of this.#finished) {
      const fits = this.#finishedBytes <= this.#keptFinishedBytes || this.#finished.size === 1;
      if (this.#finished.size <= this.#keptFinishedRuns && fits) return;
      this.#finished.delete(id);
      const run = this.#runs.get(id);
      if (run) this.#finishedBytes -= recordBytes(run);
      const key = run?.spec.idempotencyKey ?? null;
      if (key !== null) this.#runByKey.delete(key);
      this.#runs.delete(id);
    }
  }
}
