import type { Command } from 'commander';
import type { WorkerJson } from '../../node/rest/schemas/cluster.ts';
import { type ApiFlags, makeClient, withApiOptions } from '../api-command.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { formatBytes } from '../format.ts';
import { onlyOne } from '../lookup.ts';
import { show } from '../output.ts';
import { type Column, formatTable } from '../table.ts';

export function registerWorkers(program: Command): void {
  const workers = withApiOptions(program.command('workers'))
    .description('the machines of the cluster: CPUs, memory, load, cache')
    .action(listWorkers);
  withApiOptions(workers.command('add <host>'))
    .description('invite a node that waits with a join token of the cluster (HOST, HOST:PORT, multiaddr)')
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

const fetchWorkers = (flags: ApiFlags) =>
  makeClient(flags).get<Readonly<Record<string, WorkerJson>>>('/cluster/worker/list');

async function listWorkers(flags: ApiFlags): Promise<void> {
  show(flags, await fetchWorkers(flags), (workers) => formatTable(Object.values(workers), COLUMNS));
}

async function addWorker(host: string, flags: ApiFlags): Promise<void> {
  const answer = await makeClient(flags).post<{ readonly message: string }>('/cluster/worker/add', { host });
  show(flags, answer, ({ message }) => [message]);
}

async function removeWorker(wanted: string, flags: ApiFlags): Promise<void> {
  const workers = Object.values(await fetchWorkers(flags));
  const named = workers.filter((worker) => worker.id === wanted || worker.name === wanted);
  const fitting = named.length > 0 ? named : workers.filter((worker) => worker.id.startsWith(wanted));
  const worker = onlyOne('workers', wanted, fitting, 'write the peer id; "fsched workers" lists them');
  if (worker === null) {
    throw new CliError(
      EXIT.NOT_FOUND,
      `there is no worker ${JSON.stringify(wanted)}: "fsched workers" lists them`,
    );
  }
  const answer = await makeClient(flags).delete<{ readonly revoked_tokens?: readonly string[] }>(
    `/cluster/workers/${encodeURIComponent(worker.id)}`,
  );
  show(flags, answer, ({ revoked_tokens: revoked = [] }) => [
    `${worker.name} (${worker.id}) is no longer a member`,
    ...revoked.map((id) => `the join token ${id}, by which it could come back, is revoked`),
  ]);
}
