import { encodeCommand } from '../../../node/state/commands.ts';
import { Tables } from '../../../node/state/tables.ts';
import type { Command } from '../../../protocols/schema/command.ts';
import type { ModelVersion } from '../../../protocols/schema/model.ts';
import type { Assignment, RunResult, RunSpec } from '../../../protocols/schema/run.ts';
import type { Task } from '../../../protocols/schema/task.ts';
import { resultOf, specOf } from '../../builders/nouns.ts';

export const TASK: Task = {
  id: 'task-1',
  name: 'sort',
  fileName: 'sort.py',
  sha256: 'a'.repeat(64),
  size: 10,
  command: 'python3',
  secrets: [],
  createdAtMs: 1,
};

export const spec = (id: string, changes: Partial<RunSpec> = {}): RunSpec =>
  specOf({ id, taskId: TASK.id, ...changes });

export function assignment(changes: Partial<Assignment> = {}): Assignment {
  return { node: 'node-a', domain: 0, ways: 4, term: 1, attempt: 1, atMs: 1_001, ...changes };
}

/** Tables with one task, and a function that applies commands to them as the log would. */
export function tablesWithTask(options: ConstructorParameters<typeof Tables>[0] = {}): {
  readonly tables: Tables;
  readonly apply: (command: Command) => ReturnType<Tables['apply']>;
} {
  const tables = new Tables(options);
  let index = 0;
  const apply = (command: Command): ReturnType<Tables['apply']> => {
    index += 1;
    return tables.apply(encodeCommand(command), index);
  };
  apply({ type: 'task-create', task: TASK });
  return { tables, apply };
}

export const LLC = { ways: 16, wayBytes: 1024, cpuModel: 'test' } as const;

/** As what the trainer proposes; better than its base. */
export function candidate(changes: Partial<ModelVersion> = {}): Omit<ModelVersion, 'version'> {
  const score = { loss: 1, within: 0.9, waysRatio: 1.2, questions: 100 };
  return {
    base: 0,
    sha256: 'b'.repeat(64),
    size: 1000,
    before: score,
    after: { ...score, loss: 0.5 },
    extent: { functions: 30, curves: 200, points: 3000 },
    learned: { tasks: 4, points: 20 },
    seed: 7,
    backend: 'cpu',
    node: 'node-a',
    trainedAtMs: 5_000,
    ...changes,
  };
}

export function finish(
  runId: string,
  attempt = 1,
  term = 1,
  result: Partial<RunResult> = {},
): Extract<Command, { type: 'run-finish' }> {
  return {
    type: 'run-finish',
    runId,
    term,
    attempt,
    state: 'succeeded',
    error: null,
    atMs: 2_000,
    result: resultOf(result),
  };
}
