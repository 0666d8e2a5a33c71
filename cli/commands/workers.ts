import type { Command } from 'commander';
import type { WorkerJson } from '../../node/rest/schemas/cluster.ts';
import { type ApiFlags, makeClient, withApiOptions } from '../api-command.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { formatBytes } from '../format.ts';
import { print, printJson } from '../output.ts';
import { type Column, formatTable } from '../table.ts';

export function registerWorkers(program: Command): void {
  const workers = withApiOptions(program.command('workers'))
    .description('the machines of the cluster: CPUs, memory, load, cache')
    .action(listWorkers);
  withApiOptions(workers.command('add <host>'))
    .description('invite a node that runs and waits, with the same join token (HOST, HOST:PORT, multiaddr)')
    .action((host: string, _own: unknown, command: Command) => addWorker(host, command.optsWithGlobals()));
  withApiOptions(workers.command('remove <id>'))
    .description('take a node out of the cluster, by its name or peer id (or its beginning)')
    .action((id: string, _own: unknown, command: Command) => removeWorker(id, command.optsWithGlobals()));
}

const known = <T>(value: T | null, show: (value: T) => string): string =>
  value === null ? '?' : show(value);

const COLUMNS: readonly Column<WorkerJson>[] = [
  { title: 'NAME', value: (worker) => worker.name, cut: 'end' },
  { title: 'HOST', value: (worker) => worker.host, cut: 'end' },
  { title: 'STATE', value: (worker) => (worker.alive ? 'up' : 'down') },
  { title: 'CPUS', value: (worker) => known(worker.cpus, String), align: 'right' },
  { title: 'LOAD', value: (worker) => known(worker.load, (load) => load.toFixed(2)), align: 'right' },
  { title: 'FREE MEM', value: (worker) => known(worker.free_memory_bytes, formatBytes), align: 'right' },
  {
    title: 'FREE WAYS',
    value: (worker) => `${known(worker.free_ways, String)}/${known(worker.ways, String)}`,
    align: 'right',
  },
  { title: 'PEER ID', value: (worker) => worker.id, cut: 'middle' },
];

async function fetchWorkers(flags: ApiFlags): Promise<Readonly<Record<string, WorkerJson>>> {
  const answer = await makeClient(flags).json({ method: 'GET', path: '/cluster/worker/list' });
  return answer as Readonly<Record<string, WorkerJson>>;
}

async function listWorkers(flags: ApiFlags): Promise<void> {
  const workers = await fetchWorkers(flags);
  if (flags.json) printJson(workers);
  else print(formatTable(Object.values(workers), COLUMNS));
}

async function addWorker(host: string, flags: ApiFlags): Promise<void> {
  const answer = await makeClient(flags).json({
    method: 'POST',
    path: '/cluster/worker/add',
    body: { host },
  });
  if (flags.json) printJson(answer);
  else print([(answer as { message: string }).message]);
}

async function removeWorker(wanted: string, flags: ApiFlags): Promise<void> {
  const workers = Object.values(await fetchWorkers(flags));
  const matches = workers.filter((worker) => worker.id === wanted || worker.name === wanted);
  const candidates = matches.length > 0 ? matches : workers.filter((worker) => worker.id.startsWith(wanted));
  const [worker] = candidates;
  if (worker === undefined) {
    throw new CliError(
      EXIT.NOT_FOUND,
      `There is no worker ${JSON.stringify(wanted)}; "fsched workers" lists them.`,
    );
  }
  if (candidates.length > 1) {
    throw new CliError(
      EXIT.USAGE,
      `${candidates.length} workers fit ${JSON.stringify(wanted)}: write the whole peer id.`,
    );
  }
  const path = `/cluster/workers/${encodeURIComponent(worker.id)}`;
  const answer = await makeClient(flags).json({ method: 'DELETE', path });
  if (flags.json) printJson(answer);
  else print([`${worker.name} (${worker.id}) is no longer a member.`]);
}
