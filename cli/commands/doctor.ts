import type { Command } from 'commander';
import { systemClock } from '../../node/adapters.ts';
import { loadConfig } from '../../node/config/load.ts';
import type { Finding } from '../../node/doctor/types.ts';
import { EXIT } from '../exit-codes.ts';
import { addNodeOptions } from '../node-flags.ts';
import { print, printJson } from '../output.ts';

const MORE = `
Takes the options of "fsched start" and says what a node with them would find
here. A line that says "missing" names what the node does without; one that
says "failed" names what keeps it from starting, and makes the exit code 1.`;

export function registerDoctor(program: Command): void {
  const command = program
    .command('doctor')
    .description('examine this machine: what a node would find, what is missing, what to do')
    .addHelpText('after', MORE);
  addNodeOptions(command).option('--json', 'print JSON').action(examineMachine);
}

type Flags = Record<string, string | readonly string[] | undefined> & { readonly json?: never };

async function examineMachine({ json, ...flags }: Flags): Promise<void> {
  const config = await loadConfig({ flags, environment: process.env, workingDirectory: process.cwd() });
  const { examine } = await import('../../node/doctor/doctor.ts');
  const findings = await examine(config, process.env.PATH ?? '', systemClock);
  const ok = findings.every(({ state }) => state !== 'failed');
  if (json) printJson({ ok, findings });
  else print(describe(findings));
  process.exitCode = ok ? EXIT.OK : EXIT.FAILED;
}

/** One line each, whole: a path or a sentence that is cut helps nobody. */
function describe(findings: readonly Finding[]): readonly string[] {
  const width = Math.max(...findings.map(({ what }) => what.length));
  return findings.map(({ what, state, message }) => `${what.padEnd(width)}  ${state.padEnd(7)}  ${message}`);
}
