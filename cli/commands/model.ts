import type { Command } from 'commander';
import { type ApiFlags, makeClient, withApiOptions } from '../api-command.ts';
import { print, printJson } from '../output.ts';
import { formatPairs } from '../table.ts';

export function registerModel(program: Command): void {
  withApiOptions(program.command('model'))
    .description('the predictor in use, and how generous it is with cache now')
    .action(showModel);
}

async function showModel(flags: ApiFlags): Promise<void> {
  const answer = (await makeClient(flags).json({ method: 'GET', path: '/predictor/model' })) as {
    readonly model: string;
    readonly version: number;
    readonly description: string;
    readonly generosity: number;
  };
  if (flags.json) return printJson(answer);
  print(
    formatPairs([
      ['model', `${answer.model}, version ${answer.version}`],
      ['what it is', answer.description],
      ['generosity', String(answer.generosity)],
    ]),
  );
}
