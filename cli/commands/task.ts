import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Command } from 'commander';
import type { TaskDetailJson, TaskJson } from '../../node/rest/schemas/tasks.ts';
import { type ApiFlags, makeClient, withApiOptions } from '../api-command.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { formatAge, formatBytes } from '../format.ts';
import { makeForm } from '../multipart.ts';
import { print, printJson, showProgress } from '../output.ts';
import { describeProfile } from '../profile-table.ts';
import { type Column, formatPairs, formatTable, wrap } from '../table.ts';
import { findTask } from '../task-lookup.ts';

export function registerTask(program: Command): void {
  const task = program.command('task').description('upload, list or show tasks: files that can be run');
  withApiOptions(task.command('upload <file>'), { patient: true })
    .description('upload a file; prints the id of the new task')
    .option('--name <name>', "function name for submit (default: the file's name without extension)")
    .option('--command <command>', "how to start it (default: by the file's extension or #! line)")
    .action(upload);
  withApiOptions(task.command('list')).description('all tasks, newest first').action(list);
  withApiOptions(task.command('show <task>'))
    .description('a task and what was measured of it; by id, beginning of an id, or function name')
    .action(show);
}

interface UploadFlags extends ApiFlags {
  readonly name?: string;
  readonly command?: string;
}

async function upload(file: string, flags: UploadFlags): Promise<void> {
  const client = makeClient(flags);
  const size = await sizeOfFile(file);
  const form = makeForm({ name: flags.name, command: flags.command }, basename(file), size, () =>
    createReadStream(file),
  );
  const done = showProgress(`uploading ${basename(file)} (${formatBytes(size)})`);
  const answer = await client
    .json({ method: 'POST', path: '/controller/task/new', stream: form })
    .finally(done);
  if (flags.json) printJson(answer);
  else print([(answer as { task_id: string }).task_id]);
}

async function sizeOfFile(file: string): Promise<number> {
  const stats = await stat(file).catch((cause: Error) => {
    throw new CliError(EXIT.USAGE, `The file can't be read: ${cause.message}.`, { cause });
  });
  if (stats.isFile()) return stats.size;
  throw new CliError(EXIT.USAGE, `${file} is no file: give the path of one program file.`);
}

const COLUMNS: readonly Column<TaskJson>[] = [
  { title: 'TASK', value: (task) => task.task_id, cut: 'middle', minWidth: 13 },
  { title: 'FUNCTION', value: (task) => task.name, cut: 'end' },
  { title: 'FILE', value: (task) => task.file_name, cut: 'end' },
  { title: 'SIZE', value: (task) => formatBytes(task.size), align: 'right' },
  { title: 'COMMAND', value: (task) => task.command ?? '', cut: 'end' },
  { title: 'CREATED', value: (task) => formatAge(Date.now() - Date.parse(task.created_at)) },
];

async function list(flags: ApiFlags): Promise<void> {
  const answer = (await makeClient(flags).json({ method: 'GET', path: '/tasks' })) as { tasks: TaskJson[] };
  if (flags.json) printJson(answer);
  else if (answer.tasks.length === 0) print(['No tasks yet: "fsched task upload FILE" makes one.']);
  else print(formatTable(answer.tasks, COLUMNS));
}

async function show(wanted: string, flags: ApiFlags): Promise<void> {
  const client = makeClient(flags);
  const { task_id: id } = await findTask(client, wanted);
  const path = `/tasks/${encodeURIComponent(id)}`;
  const task = (await client.json({ method: 'GET', path })) as TaskDetailJson;
  if (flags.json) return printJson(task);
  print(
    formatPairs([
      ['task', task.task_id],
      ['function', task.name],
      ['file', `${task.file_name}, ${formatBytes(task.size)}`],
      ['sha256', task.sha256],
      ['command', task.command ?? 'none: give --command when you run it'],
      ['created', task.created_at],
    ]),
  );
  if (task.drift !== null) print(['', ...wrap(`Since ${task.drift.since} ${task.drift.message}.`)]);
  if (task.profiles.length === 0) print(['Never benchmarked: "fsched benchmark TASK SIZE" does.']);
  for (const profile of task.profiles) print(['', ...describeProfile(profile)]);
}
