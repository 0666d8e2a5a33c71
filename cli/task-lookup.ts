/** Finds the task that a person means: its id, the beginning of one id, or a function name (its newest task). */
import type { TaskJson } from '../node/rest/schemas/tasks.ts';
import type { ApiClient } from './api-client.ts';
import { CliError, EXIT } from './exit-codes.ts';

export async function findTask(client: ApiClient, wanted: string): Promise<TaskJson> {
  const { tasks } = (await client.json({ method: 'GET', path: '/tasks' })) as { tasks: readonly TaskJson[] };
  // The list is newest first, so the first of a name is the one that submit would run.
  const named = tasks.find((task) => task.task_id === wanted) ?? tasks.find((task) => task.name === wanted);
  if (named !== undefined) return named;
  const candidates = tasks.filter((task) => task.task_id.startsWith(wanted));
  const [task] = candidates;
  if (task !== undefined && candidates.length === 1) return task;
  if (task === undefined) {
    throw new CliError(
      EXIT.NOT_FOUND,
      `There is no task ${JSON.stringify(wanted)}: "fsched task list" lists them, "fsched task upload FILE" makes one.`,
    );
  }
  throw new CliError(EXIT.USAGE, `${candidates.length} tasks begin with ${wanted}: write more of the id.`);
}

/** What the person said, else what the node made of the upload: its field, its extension or its `#!` line. */
export function commandFor(task: TaskJson, given: string | undefined): string {
  const command = given ?? task.command;
  if (command !== null) return command;
  throw new CliError(
    EXIT.USAGE,
    `Nothing says how to start ${task.file_name}: give --command, such as --command python3.`,
  );
}
