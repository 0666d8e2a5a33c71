/** Finds what a person means: by an id, the beginning of one, or a name. */
import type { RunDetailJson, RunSummaryJson } from '../node/rest/schemas/runs.ts';
import type { TaskJson } from '../node/rest/schemas/tasks.ts';
import type { ApiClient } from './api-client.ts';
import { CliError, EXIT } from './exit-codes.ts';

/** As many runs as the API lists at once. */
export const LATEST = 1000;

/** Every id begins with nothing at all: a variable of a script that isn't set would name the only one there is. */
function refuseEmpty(what: string, wanted: string): void {
  if (wanted === '') throw new CliError(EXIT.USAGE, `an empty id names none of the ${what}: write one`);
}

/** The only one that fits, or null where none does. Throws a usage error for several, and for an empty id. */
export function onlyOne<T>(
  what: string,
  wanted: string,
  candidates: readonly T[],
  advice = 'write more of the id',
): T | null {
  refuseEmpty(what, wanted);
  if (candidates.length <= 1) return candidates[0] ?? null;
  throw new CliError(EXIT.USAGE, `${candidates.length} ${what} fit ${JSON.stringify(wanted)}: ${advice}`);
}

/** A name stands for its newest task, as for `submit`. */
export async function findTask(client: ApiClient, wanted: string): Promise<TaskJson> {
  const { tasks } = await client.get<{ readonly tasks: readonly TaskJson[] }>('/tasks');
  // The list is newest first.
  const task =
    tasks.find(({ task_id: id }) => id === wanted) ??
    tasks.find(({ name }) => name === wanted) ??
    onlyOne(
      'tasks',
      wanted,
      tasks.filter(({ task_id: id }) => id.startsWith(wanted)),
    );
  if (task !== null) return task;
  throw new CliError(
    EXIT.NOT_FOUND,
    `there is no task ${JSON.stringify(wanted)}: "fsched task list" lists them, "fsched task upload FILE" makes one`,
  );
}

/** The beginning of an id stands for one of the latest runs. */
export async function findRun(client: ApiClient, wanted: string): Promise<RunDetailJson> {
  refuseEmpty('runs', wanted);
  try {
    return await client.get(runPath(wanted));
  } catch (error) {
    if (!(error instanceof CliError) || error.exitCode !== EXIT.NOT_FOUND) throw error;
    const runs = (await listRuns(client)).filter(({ run_id: id }) => id.startsWith(wanted));
    const run = onlyOne('runs', wanted, runs);
    if (run === null) throw error;
    return client.get(runPath(run.run_id));
  }
}

export const runPath = (id: string): string => `/runs/${encodeURIComponent(id)}`;

export async function listRuns(client: ApiClient, taskId?: string): Promise<readonly RunSummaryJson[]> {
  const query = { task_id: taskId, limit: LATEST };
  return (await client.get<{ readonly runs: readonly RunSummaryJson[] }>('/runs', query)).runs;
}
