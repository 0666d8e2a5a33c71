import type { Command } from 'commander';
import type { ResultJson, RunDetailJson, RunSummaryJson } from '../../node/rest/schemas/runs.ts';
import { type ApiFlags, makeClient, wholeNumber, withApiOptions } from '../api-command.ts';
import { formatAge, formatBytes, formatSeconds } from '../format.ts';
import { findRun, findTask } from '../lookup.ts';
import { show } from '../output.ts';
import { describeChoice } from '../run-result.ts';
import { type Column, formatPairs, formatTable, type Pair } from '../table.ts';

export function registerRuns(program: Command): void {
  withApiOptions(program.command('runs [run]'))
    .description('runs, newest first; or all about one run')
    .option('--state <state>', 'only runs in this state, such as queued, running or failed')
    .option('--task <task>', 'only runs of this task')
    .option('--limit <n>', 'at most this many', '20')
    .action(showRuns);
}

interface RunsFlags extends ApiFlags {
  readonly state?: string;
  readonly task?: string;
  readonly limit: string;
}

const COLUMNS: readonly Column<RunSummaryJson>[] = [
  { title: 'RUN', value: (run) => run.run_id, cut: 'middle', minWidth: 13 },
  { title: 'TASK', value: (run) => run.task_id, cut: 'middle', minWidth: 9 },
  { title: 'STATE', value: (run) => run.state },
  { title: 'SIZE', value: (run) => String(run.input_size), align: 'right' },
  { title: 'WAYS', value: (run) => String(run.ways), align: 'right' },
  { title: 'TRY', value: (run) => String(run.attempts), align: 'right' },
  { title: 'NODE', value: (run) => (run.node === null ? '' : `…${run.node.slice(-6)}`) },
  { title: 'TOOK', value: took, align: 'right' },
  { title: 'CREATED', value: (run) => formatAge(Date.now() - Date.parse(run.created_at)) },
];

function took({ started_at: start, finished_at: end }: RunSummaryJson): string {
  return start === null || end === null ? '' : formatSeconds((Date.parse(end) - Date.parse(start)) / 1000);
}

async function showRuns(wanted: string | undefined, flags: RunsFlags): Promise<void> {
  const client = makeClient(flags);
  if (wanted !== undefined) {
    const run = await findRun(client, wanted);
    return show(flags, run, () => formatPairs(describe(run)));
  }
  const query = {
    state: flags.state,
    limit: wholeNumber('--limit', flags.limit),
    task_id: flags.task === undefined ? undefined : (await findTask(client, flags.task)).task_id,
  };
  const answer = await client.get<{ readonly runs: readonly RunSummaryJson[] }>('/runs', query);
  show(flags, answer, ({ runs }) =>
    runs.length === 0 ? ['no such runs: "fsched run TASK SIZE" makes one'] : formatTable(runs, COLUMNS),
  );
}

function describe(run: RunDetailJson): readonly Pair[] {
  const { result } = run;
  const pairs: Pair[] = [
    ['run', run.run_id],
    ['task', run.task_id],
    ['state', run.state],
    ['purpose', `${run.purpose}, ${run.mode}`],
    ['command', run.command],
    ['input size', String(run.input_size)],
    ['node', run.node === null ? 'none yet' : `${run.node}, LLC domain ${run.domain}`],
    ['ways', `${run.ways}${result?.enforcement ? ` (${result.enforcement})` : ''}`],
    ['attempts', String(run.attempts)],
    ['created', run.created_at],
    ['started', run.started_at ?? 'not yet'],
    ['finished', run.finished_at ?? 'not yet'],
  ];
  if (run.secrets.length > 0) pairs.push(['own secrets', run.secrets.join(', ')]);
  if (result && result.exit_status !== null) pairs.push(['exit status', String(result.exit_status)]);
  if (run.choice !== null) pairs.push(['why so many', describeChoice(run.choice)]);
  if (result?.enforcement_reason) pairs.push(['enforcement', result.enforcement_reason]);
  if (result?.cache_use) pairs.push(...describeCacheUse(result.cache_use));
  if (result?.isolation) pairs.push(['isolation', describeIsolation(result.isolation)]);
  if (run.error !== null) pairs.push(['error', run.error]);
  return pairs;
}

function describeCacheUse(use: NonNullable<ResultJson['cache_use']>): Pair[] {
  const counters = [
    ['cache filled', use.occupancy_bytes, ''],
    ['bandwidth', use.bandwidth_bytes_per_second, '/s'],
    ['of it local', use.local_bandwidth_bytes_per_second, '/s'],
  ] as const;
  return counters.map(([name, counter, per]) => {
    const show = (value: number) => formatBytes(value) + per;
    const told =
      counter && `peak ${show(counter.peak)}, mean ${show(counter.mean)}, last ${show(counter.last)}`;
    return [name, told ?? 'not counted here'] as const;
  });
}

function describeIsolation({
  user,
  own_user: own,
  seccomp,
  limits,
  sandbox,
  network,
  pinned,
}: NonNullable<ResultJson['isolation']>): string {
  return [
    `${own ? 'own ' : ''}user ${user}`,
    limits === 'none' ? 'no limits' : `limits by ${limits}`,
    sandbox === 'none'
      ? 'no sandbox'
      : `${sandbox}${seccomp ? ' and seccomp' : ''} ${network ? 'with' : 'without'} network`,
    pinned ? 'pinned' : 'not pinned',
  ].join(', ');
}
