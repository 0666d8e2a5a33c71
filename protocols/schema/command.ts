/** Commands of the log. Times were read by the proposer, because the state machine has no clock. */
import Type from 'typebox';
import {
  Attempt,
  moment,
  NodeId,
  nullable,
  RunId,
  sentence,
  TaskId,
  Term,
  type Value,
  whole,
} from './fields.ts';
import { Member } from './member.ts';
import { DroppedModel, NewModel } from './model.ts';
import { Assignment, ReportedState, RunResult, RunSpec } from './run.ts';
import { KeyId, SealedSecrets } from './secret.ts';
import { Profile, Task } from './task.ts';
import { ApiToken, AuditEntry, JoinToken, TokenId } from './token.ts';

const command = <const T extends string, const P extends Type.TProperties>(type: T, properties: P) =>
  Type.Object({ type: Type.Literal(type), ...properties });

export const Command = Type.Union([
  /** The first member, or the new name or address of a known one. */
  command('member-put', { member: Member }),
  /** A node that proved a join token: counts as a use of it, and is refused when the token doesn't hold at `atMs`. */
  command('member-admit', { member: Member, tokenId: TokenId, atMs: moment() }),
  /** The join token that it came in by is revoked with it, so that it can't come back by itself. */
  command('member-remove', { id: NodeId, atMs: moment() }),
  /** Both revoke `replaces` in the same step: a rotation. */
  command('join-token-put', { token: JoinToken, replaces: nullable(TokenId) }),
  command('api-token-put', { token: ApiToken, replaces: nullable(TokenId) }),
  /** Of either kind. */
  command('token-revoke', { id: TokenId, atMs: moment() }),
  command('audit', { entry: AuditEntry }),
  /** A majority has the key on disk. `STALE` when a member was removed since it was made (`removals`). */
  command('cluster-key-put', { id: KeyId, removals: whole() }),
  /** `STALE`, as for a run: its secrets aren't sealed under the current key. */
  command('task-create', { task: Task }),
  /** The same secrets, sealed under the current key. */
  command('task-secrets', { taskId: TaskId, secrets: SealedSecrets }),
  command('profile-put', { profile: Profile }),
  command('run-create', { spec: RunSpec, assignment: nullable(Assignment) }),
  command('run-assign', { runId: RunId, assignment: Assignment }),
  command('run-start', { runId: RunId, term: Term, attempt: Attempt, atMs: moment() }),
  command('run-finish', {
    runId: RunId,
    term: Term,
    attempt: Attempt,
    state: ReportedState,
    result: nullable(RunResult),
    error: nullable(sentence()),
    atMs: moment(),
  }),
  /** The attempt came to nothing (refused, node gone): back to the queue, or `lost` when attempts are used up. */
  command('run-requeue', { runId: RunId, attempt: Attempt, reason: sentence(), atMs: moment() }),
  command('run-cancel', { runId: RunId, atMs: moment() }),
  /** Becomes the current version, with the next number; `STALE` unless it was trained from the current one. */
  command('model-put', { model: NewModel }),
  command('model-drop', { model: DroppedModel }),
  /** Back or forth to a version that is known, 0: what the program ships with. */
  command('model-select', { version: whole() }),
]);
export type Command = Value<typeof Command>;
