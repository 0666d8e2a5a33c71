import { setFlagsFromString } from 'node:v8';
import { type Command, Option } from 'commander';
import { type Environment, type NodeConfig, readHost } from '../../node/config/config.ts';
import { ConfigError, loadConfig, unknownVariables } from '../../node/config/load.ts';
import { NODE_OPTIONS, type NodeOption } from '../../node/config/options.ts';
import type { Daemon } from '../../node/daemon.ts';
import { searchPathOf } from '../../node/search-path.ts';
import { printableJson } from '../../protocols/schema/text.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { endOnMistakes } from '../last-resort.ts';
import { makeLogStream } from '../log-stream.ts';
import { onInterrupt } from '../signals.ts';
import { explainStartFailure } from '../start-failure.ts';

const MORE = `
Every option can also be given in the environment (--data-dir: FSCHED_DATA_DIR)
or in the file (--data-dir: {"dataDir": …}). Flags win over environment over
file over defaults. Without --join the node is a cluster of one.

When it serves it prints a line of JSON to standard output,
{"event":"ready","peer":…,"mesh":[…],"rest":"http://…"}; logs go to standard
error. SIGINT or SIGTERM stops it; a second one ends it at once. SIGHUP makes it
read its certificate again; without --tls-cert it stops the node too.`;

export function registerStart(program: Command, environment: Environment): void {
  withNodeOptions(program.command('start'))
    .description('run a node on this machine until it is told to stop')
    .addHelpText('after', MORE)
    .action((flags: NodeFlags) => start(flags, environment));
}

export type NodeFlags = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Adds the options of a node. */
export function withNodeOptions(command: Command): Command {
  for (const option of NODE_OPTIONS) command.addOption(toFlag(option));
  return command.option('--config <FILE>', 'JSON file with any of these options');
}

/** Defaults are told, not set: `loadConfig` has to know which flags were given. */
function toFlag(option: NodeOption): Option {
  const help = option.default === null ? option.help : `${option.help} (default: ${option.default})`;
  const value = option.bare === null ? `<${option.value}>` : `[${option.value}]`;
  const flag = new Option(`${option.flag} ${value}`, help);
  if (option.bare !== null) flag.preset(option.bare);
  return option.repeats
    ? flag.argParser((given: string, before: readonly string[] = []) => [...before, given])
    : flag;
}

/** The configuration that a node with these flags would have here. */
export const configOf = (flags: NodeFlags, environment: Environment): Promise<NodeConfig> =>
  loadConfig({ flags, environment, workingDirectory: process.cwd(), host: readHost() }).catch((cause) => {
    throw cause instanceof ConfigError ? new CliError(EXIT.USAGE, cause.message, { cause }) : cause;
  });

async function start(flags: NodeFlags, environment: Environment): Promise<void> {
  const config = await configOf(flags, environment);
  const interrupted = Promise.withResolvers<'interrupted'>();
  const reloads = config.tlsCert !== null;
  onInterrupt(() => interrupted.resolve('interrupted'), reloads ? ['SIGINT', 'SIGTERM'] : undefined);
  // Caught from the first moment on: what renews certificates may well do so while the node starts.
  const starting = Promise.withResolvers<Daemon>();
  if (reloads) process.on('SIGHUP', () => void starting.promise.then((daemon) => daemon.reload()));

  const daemon = await launchDaemon(config, environment);
  starting.resolve(daemon);
  const line = JSON.stringify({ event: 'ready', ...daemon.ready });
  process.stdout.write(`${line}\n`);
  const end = await Promise.race([interrupted.promise, daemon.failed]);
  await daemon.stop();
  if (end !== 'interrupted')
    throw new CliError(EXIT.START_FAILED, `the node stopped: ${end.message}`, { cause: end });
  // Whatever still holds the event loop, a stopped node has nothing left to do.
  process.exit(EXIT.OK);
}

/** The daemon is most of the program, so only this command loads it. */
async function launchDaemon(config: NodeConfig, environment: Environment): Promise<Daemon> {
  // With another flag V8 compiles Node's own modules instead of taking them compiled; most of them come with this one.
  await import('node:http');
  // The young generation stays small: a daemon that mostly waits gains nothing from the 12 MiB that it would grow by.
  setFlagsFromString('--semi-space-growth-factor=1');
  const [{ default: pino }, { startDaemon }] = await Promise.all([
    import('pino'),
    import('../../node/daemon.ts'),
  ]);
  const logger = pino(
    // A line may hold what a stranger said, and be read at a terminal.
    { level: config.logLevel, base: { node: config.name }, hooks: { streamWrite: printableJson } },
    makeLogStream(),
  );
  endOnMistakes(logger);
  for (const { variable, meant } of unknownVariables(environment))
    logger.warn({ variable }, `there is no option ${variable}; did you mean ${meant}?`);
  try {
    return await startDaemon(config, {
      logger,
      searchPath: searchPathOf(environment),
      lang: environment.LANG,
    });
  } catch (error) {
    throw explainStartFailure(error, config);
  }
}
