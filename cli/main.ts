/** The program `fsched`: parses the command line and turns whatever goes wrong into a sentence and an exit code. */
import { inspect } from 'node:util';
import { Command, CommanderError } from 'commander';
import type { Environment } from '../node/config/config.ts';
import { VERSION } from '../node/version.ts';
import { printableLines } from '../protocols/schema/text.ts';
import { CliError, EXIT, EXIT_HELP, messageOf } from './exit-codes.ts';
import { note } from './output.ts';

/** In the order of the help. Each is loaded when it is asked for: a daemon needs no tables, and a table no daemon. */
const COMMANDS: Readonly<
  Record<string, () => Promise<(program: Command, environment: Environment) => void>>
> = {
  start: async () => (await import('./commands/start.ts')).registerStart,
  status: async () => (await import('./commands/status.ts')).registerStatus,
  peers: async () => (await import('./commands/peers.ts')).registerPeers,
  workers: async () => (await import('./commands/workers.ts')).registerWorkers,
  capacity: async () => (await import('./commands/capacity.ts')).registerCapacity,
  task: async () => (await import('./commands/task.ts')).registerTask,
  benchmark: async () => (await import('./commands/benchmark.ts')).registerBenchmark,
  run: async () => (await import('./commands/run.ts')).registerRun,
  submit: async () => (await import('./commands/submit.ts')).registerSubmit,
  runs: async () => (await import('./commands/runs.ts')).registerRuns,
  logs: async () => (await import('./commands/logs.ts')).registerLogs,
  cancel: async () => (await import('./commands/cancel.ts')).registerCancel,
  model: async () => (await import('./commands/model.ts')).registerModel,
  token: async () => (await import('./commands/token.ts')).registerToken,
  audit: async () => (await import('./commands/audit.ts')).registerAudit,
  inspect: async () => (await import('./commands/inspect.ts')).registerInspect,
  doctor: async () => (await import('./commands/doctor.ts')).registerDoctor,
  demo: async () => (await import('./commands/demo.ts')).registerDemo,
};

async function makeProgram(environment: Environment): Promise<Command> {
  const program = new Command('fsched')
    .description('Peer-to-peer Function-as-a-Service scheduler that partitions the last-level cache.')
    .version(VERSION)
    .configureHelp({ helpWidth: 80, subcommandTerm: describeUsage })
    .addHelpText('after', `\n${EXIT_HELP}`)
    .configureOutput({ writeErr: (text) => void process.stderr.write(printableLines(text)) })
    .showSuggestionAfterError()
    .showHelpAfterError('(fsched --help lists the commands, fsched COMMAND --help explains one)')
    .exitOverride();
  const [, , first = ''] = process.argv;
  const named = Object.hasOwn(COMMANDS, first) ? COMMANDS[first] : undefined;
  const isVersion = first === '--version' || first === '-V';
  const wanted = named !== undefined ? [named] : isVersion ? [] : Object.values(COMMANDS);
  for (const load of wanted) (await load())(program, environment);
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
  const isExpected = error instanceof CliError;
  if (process.env.FSCHED_DEBUG) process.stderr.write(`${printableLines(inspect(error))}\n`);
  else note(isExpected ? error.message : `unexpected: ${messageOf(error)} (FSCHED_DEBUG=1 shows where)`);
  return isExpected ? error.exitCode : EXIT.INTERNAL;
}

// There is nobody left to tell.
process.stderr.on('error', () => undefined);
// `fsched runs | head`: the reader has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? EXIT.OK : EXIT.INTERNAL);
});

try {
  await (await makeProgram(process.env)).parseAsync();
} catch (error) {
  process.exitCode = report(error);
}
