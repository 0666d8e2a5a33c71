/** Finds the run that a person means: its id, or the beginning of the id of one of the latest runs. */
import type { RunDetailJson, RunSummaryJson } from '../node/rest/schemas/runs.ts';
import type { ApiClient } from './api-client.ts';
import { CliError, EXIT } from './exit-codes.ts';

/** As many as the API lists at once. */
const LATEST = 1000;

export async function findRun(client: ApiClient, wanted: string): Promise<RunDetailJson> {
  try {
    return await showRun(client, wanted);
  } catch (error) {
    if (!(error instanceof CliError) || error.exitCode !== EXIT.NOT_FOUND) throw error;
    const { runs } = (await client.json({ method: 'GET', path: '/runs', query: { limit: LATEST } })) as {
      runs: readonly RunSummaryJson[];
    };
    const candidates = runs.filter((run) => run.run_id.startsWith(wanted));
    const [run] = candidates;
    if (run === undefined) throw error;
    if (candidates.length > 1) {
      throw new CliError(EXIT.USAGE, `${candidates.length} runs begin with ${wanted}: write more of the id.`);
    }
    return showRun(client, run.run_id);
  }
}

async function showRun(client: ApiClient, id: string): Promise<RunDetailJson> {
  return (await client.json({ method: 'GET', path: `/runs/${encodeURIComponent(id)}` })) as RunDetailJson;
}
