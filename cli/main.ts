/** The program `fsched`: parses the command line and turns whatever goes wrong into a sentence and an exit code. */
import { Command, CommanderError } from 'commander';
import { ConfigError } from '../node/config/load.ts';
import { VERSION } from '../node/version.ts';
import { registerBenchmark } from './commands/benchmark.ts';
import { registerCancel } from './commands/cancel.ts';
import { registerCapacity } from './commands/capacity.ts';
import { registerDemo } from './commands/demo.ts';
import { registerDoctor } from './commands/doctor.ts';
import { registerInspect } from './commands/inspect.ts';
import { registerLogs } from './commands/logs.ts';
import { registerModel } from './commands/model.ts';
import { registerPeers } from './commands/peers.ts';
import { registerRun } from './commands/run.ts';
import { registerRuns } from './commands/runs.ts';
import { registerStart } from './commands/start.ts';
import { registerStatus } from './commands/status.ts';
import { registerSubmit } from './commands/submit.ts';
import { registerTask } from './commands/task.ts';
import { registerWorkers } from './commands/workers.ts';
import { CliError, EXIT, EXIT_HELP } from './exit-codes.ts';

function makeProgram(): Command {
  const program = new Command('fsched')
    .description('Peer-to-peer Function-as-a-Service scheduler that partitions the last-level cache.')
    .version(VERSION)
    .configureHelp({ helpWidth: 80, subcommandTerm: describeUsage })
    .addHelpText('after', `\n${EXIT_HELP}`)
    .showSuggestionAfterError()
    .showHelpAfterError('(fsched --help lists the commands, fsched COMMAND --help explains one)')
    .exitOverride();
  registerStart(program);
  registerStatus(program);
  registerPeers(program);
  registerWorkers(program);
  registerCapacity(program);
  registerTask(program);
  registerBenchmark(program);
  registerRun(program);
  registerSubmit(program);
  registerRuns(program);
  registerLogs(program);
  registerCancel(program);
  registerModel(program);
  registerInspect(program);
  registerDoctor(program);
  registerDemo(program);
  return program;
}

/** Without the `[options]` that every command has, which would leave no room for what it does. */
function describeUsage(command: Command): string {
  const values = command.registeredArguments.map((value) =>
    value.required ? `<${value.name()}>` : `[${value.name()}]`,
  );
  return [command.name(), ...values].join(' ');
}

/** Tells the person what went wrong; returns the exit code. */
function report(error: unknown): number {
  // Commander has already printed its message, or the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.OK : EXIT.USAGE;
  const isExpected = error instanceof CliError || error instanceof ConfigError;
  if (process.env.FSCHED_DEBUG) console.error(error);
  else if (isExpected) process.stderr.write(`fsched: ${error.message}\n`);
  else {
    const what = error instanceof Error ? error.message : String(error);
    process.stderr.write(`fsched: unexpected: ${what} (FSCHED_DEBUG=1 shows where).\n`);
  }
  if (error instanceof CliError) return error.exitCode;
  return isExpected ? EXIT.USAGE : EXIT.INTERNAL;
}

// `fsched runs | head`: the reader has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? EXIT.OK : EXIT.INTERNAL);
});

try {
  await makeProgram().parseAsync();
} catch (error) {
  process.exitCode = report(error);
}
