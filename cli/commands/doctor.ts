import type { Command } from 'commander';
import { systemClock } from '../../node/adapters.ts';
import type { Environment } from '../../node/config/config.ts';
import type { Finding } from '../../node/doctor/finding.ts';
import { searchPathOf } from '../../node/search-path.ts';
import { EXIT } from '../exit-codes.ts';
import { show } from '../output.ts';
import { configOf, type NodeFlags, withNodeOptions } from './start.ts';

const MORE = `
Takes the options of "fsched start" and says what a node with them would find
here. A line that says "missing" names what the node does without; one that
says "failed" names what keeps it from starting, and makes the exit code 1.`;

export function registerDoctor(program: Command, environment: Environment): void {
  withNodeOptions(program.command('doctor'))
    .description('examine this machine: what a node would find, what is missing, what to do')
    .addHelpText('after', MORE)
    .option('--json', 'print JSON')
    .action((flags: Flags) => examineMachine(flags, environment));
}

type Flags = NodeFlags & { readonly json?: never };

async function examineMachine({ json, ...flags }: Flags, environment: Environment): Promise<void> {
  const config = await configOf(flags, environment);
  const { examine } = await import('../../node/doctor/doctor.ts');
  const findings = await examine(config, searchPathOf(environment), systemClock);
  const ok = findings.every(({ state }) => state !== 'failed');
  show({ json }, { ok, findings }, () => describe(findings));
  process.exitCode = ok ? EXIT.OK : EXIT.FAILED;
}

/** One line each, whole: a path or a sentence that is cut helps nobody. */
function describe(findings: readonly Finding[]): readonly string[] {
  const width = Math.max(...findings.map(({ what }) => what.length));
  return findings.map(({ what, state, message }) => `${what.padEnd(width)}  ${state.padEnd(7)}  ${message}`);
}
