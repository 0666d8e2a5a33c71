import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { ExplanationJson, ModelJson } from '../../node/rest/schemas/predictor.ts';
import { type ApiFlags, makeClient, maxSlowdownOption, wholeNumber, withApiOptions } from '../api-command.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { findTask } from '../lookup.ts';
import { describeExplanation, describeModel } from '../model-view.ts';
import { note, passOn, show } from '../output.ts';

export function registerModel(program: Command): void {
  const model = withApiOptions(program.command('model'))
    .description('the predictor in use: version, scores, which nodes hold it, how generous it is')
    .action(showModel);
  withApiOptions(model.command('explain <task> <size>'))
    .description('how many ways a run would get now, and why: measured points, curve, band')
    .addOption(maxSlowdownOption())
    .option('--svg <file>', 'write it as a picture, - for standard output')
    .action((task: string, size: string, _own: unknown, command: Command) =>
      explain(task, size, command.optsWithGlobals()),
    );
  withApiOptions(model.command('select <version>'))
    .description('go back or forth to a version (0: as shipped)')
    .action((version: string, _own: unknown, command: Command) =>
      selectVersion(version, command.optsWithGlobals()),
    );
  withApiOptions(model.command('train'))
    .description('train on what was measured; kept only if it is better')
    .action((_own: unknown, command: Command) => train(command.optsWithGlobals()));
}

interface ExplainFlags extends ApiFlags {
  readonly maxSlowdown?: number;
  readonly svg?: string;
}

async function showModel(flags: ApiFlags): Promise<void> {
  show(flags, await makeClient(flags).get<ModelJson>('/predictor/model'), describeModel);
}

async function explain(wanted: string, size: string, flags: ExplainFlags): Promise<void> {
  const inputSize = wholeNumber('SIZE', size);
  const client = makeClient(flags);
  const task = await findTask(client, wanted);
  const query = { task_id: task.task_id, input_size: inputSize, max_slowdown: flags.maxSlowdown };
  const path = '/predictor/explain';
  if (flags.svg !== undefined) {
    await save(flags.svg, await client.text({ method: 'GET', path, query: { ...query, format: 'svg' } }));
    // Else the words would stand in the picture.
    if (flags.svg === '-') return;
  }
  show(flags, await client.get<ExplanationJson>(path, query), describeExplanation);
}

async function save(file: string, picture: string): Promise<void> {
  if (file === '-') {
    passOn(process.stdout)(picture);
    return;
  }
  try {
    await writeFile(file, picture);
  } catch (cause) {
    throw CliError.because(EXIT.USAGE, "--svg: the picture can't be written", cause);
  }
  note(`the picture is in ${file}`);
}

interface MessageJson {
  readonly message: string;
}

async function selectVersion(wanted: string, flags: ApiFlags): Promise<void> {
  const body = { version: wholeNumber('VERSION', wanted) };
  const answer = await makeClient(flags).post<MessageJson>('/predictor/model/select', body);
  show(flags, answer, ({ message }) => [message]);
}

async function train(flags: ApiFlags): Promise<void> {
  const answer = await makeClient(flags).post<MessageJson>('/predictor/model/train');
  show(flags, answer, ({ message }) => [message]);
}
