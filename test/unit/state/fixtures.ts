import { encodeCommand } from '../../../node/state/commands.ts';
import { Tables } from '../../../node/state/tables.ts';
import type { Assignment, Command, RunSpec, Task } from '../../../node/state/types.ts';

export const TASK: Task = {
  id: 'task-1',
  name: 'sort',
  fileName: 'sort.py',
  sha256: 'a'.repeat(64),
  size: 10,
  command: 'python3',
  createdAtMs: 1,
};

export function spec(id: string, changes: Partial<RunSpec> = {}): RunSpec {
  return {
    id,
    taskId: TASK.id,
    command: 'python3',
    inputSize: 100,
    parameters: null,
    purpose: 'run',
    mode: 'BENCHMARKED',
    ways: 4,
    pinnedTo: null,
    timeLimitMs: 60_000,
    idempotencyKey: null,
    createdAtMs: 1_000,
    ...changes,
  };
}

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

export function finish(runId: string, attempt = 1, term = 1): Extract<Command, { type: 'run-finish' }> {
  const output = { kind: 'inline', encoding: 'utf8', data: '', size: 0, truncated: false } as const;
  return {
    type: 'run-finish',
    runId,
    term,
    attempt,
    state: 'succeeded',
    error: null,
    atMs: 2_000,
    result: {
      pid: 7,
      exitStatus: 0,
      signal: null,
      stdout: output,
      stderr: output,
      executionTimeNs: 5_000_000,
      startedAtMs: 1_500,
      cpus: [0],
      enforcement: 'unenforced',
      enforcementReason: 'test',
    },
  };
}
