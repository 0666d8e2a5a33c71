import { constants, openAsBlob } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Command } from 'commander';
import type { TaskDetailJson, TaskJson } from '../../node/rest/schemas/tasks.ts';
import { makeForm } from '../api-client.ts';
import { type ApiFlags, makeClient, withApiOptions } from '../api-command.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { formatAge, formatBytes } from '../format.ts';
import { findTask } from '../lookup.ts';
import { show, showProgress } from '../output.ts';
import { describeProfile } from '../profile-table.ts';
import { readSecrets, type SecretFlags, secretOption } from '../secrets.ts';
import { type Column, formatPairs, formatTable, wrap } from '../table.ts';

export function registerTask(program: Command): void {
  const task = program.command('task').description('upload, list or show tasks: files that can be run');
  withApiOptions(task.command('upload <file>'), { patient: true })
    .description('upload a file; prints the id of the new task')
    .option('--name <name>', "function name for submit (default: the file's name without extension)")
    .option('--command <command>', "how to start it (default: by the file's extension or #! line)")
    .addOption(secretOption())
    .action(upload);
  withApiOptions(task.command('list')).description('all tasks, newest first').action(list);
  withApiOptions(task.command('show <task>'))
    .description('a task and what was measured of it; by id, beginning of an id, or function name')
    .action(showTask);
}

interface UploadFlags extends ApiFlags, SecretFlags {
  readonly name?: string;
  readonly command?: string;
}

async function upload(file: string, flags: UploadFlags): Promise<void> {
  const client = makeClient(flags);
  await checkReadable(file);
  const content = await openAsBlob(file);
  const secrets = await readSecrets(flags);
  const fields = { name: flags.name, command: flags.command, secrets: secrets && JSON.stringify(secrets) };
  const form = await makeForm(fields, basename(file), content);
  const done = showProgress(`uploading ${basename(file)} (${formatBytes(content.size)})`);
  const answer = await client.post<{ readonly task_id: string }>('/controller/task/new', form).finally(done);
  show(flags, answer, ({ task_id: id }) => [id]);
}

/** The blob of a file says only that it can't be read, and not why. */
async function checkReadable(file: string): Promise<void> {
  const refuse = (cause: unknown): never => {
    throw CliError.because(EXIT.USAGE, "the file can't be read", cause);
  };
  // Before it is opened: a FIFO would wait for somebody who writes.
  if (!(await stat(file).catch(refuse)).isFile())
    throw new CliError(EXIT.USAGE, `${file} is no file: give the path of one program file`);
  await access(file, constants.R_OK).catch(refuse);
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
  const answer = await makeClient(flags).get<{ readonly tasks: readonly TaskJson[] }>('/tasks');
  show(flags, answer, ({ tasks }) =>
    tasks.length === 0 ? ['no tasks yet: "fsched task upload FILE" makes one'] : formatTable(tasks, COLUMNS),
  );
}

async function showTask(wanted: string, flags: ApiFlags): Promise<void> {
  const client = makeClient(flags);
  const { task_id: id } = await findTask(client, wanted);
  show(flags, await client.get<TaskDetailJson>(`/tasks/${encodeURIComponent(id)}`), describe);
}

const describe = (task: TaskDetailJson): readonly string[] => [
  ...formatPairs([
    ['task', task.task_id],
    ['function', task.name],
    ['file', `${task.file_name}, ${formatBytes(task.size)}`],
    ['sha256', task.sha256],
    ['command', task.command ?? 'none: give --command when you run it'],
    ...(task.secrets.length === 0 ? [] : [['secrets', task.secrets.join(', ')] as const]),
    ['created', task.created_at],
  ]),
  ...(task.drift === null ? [] : ['', ...wrap(`Since ${task.drift.since} ${task.drift.message}.`)]),
  ...(task.profiles.length === 0 ? ['never benchmarked: "fsched benchmark TASK SIZE" does'] : []),
  ...task.profiles.flatMap((profile) => ['', ...describeProfile(profile)]),
];
