import { setFlagsFromString } from 'node:v8';
import type { Command } from 'commander';
import type { NodeConfig } from '../../node/config/config.ts';
import { loadConfig, unknownVariables } from '../../node/config/load.ts';
import type { Daemon } from '../../node/daemon.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { addNodeOptions } from '../node-flags.ts';
import { onInterrupt } from '../signals.ts';
import { explainStartFailure } from '../start-failure.ts';

const MORE = `
Every option can also be given in the environment (--data-dir: FSCHED_DATA_DIR)
or in the file (--data-dir: {"dataDir": …}). Flags win over environment over
file over defaults. Without --join the node is a cluster of one.

When it serves it prints a line of JSON to standard output,
{"event":"ready","peer":…,"mesh":[…],"rest":"http://…"}; logs go to standard
error. SIGINT or SIGTERM stops it; a second one ends it at once.`;

export function registerStart(program: Command): void {
  const command = program
    .command('start')
    .description('run a node on this machine until it is told to stop')
    .addHelpText('after', MORE);
  addNodeOptions(command).action(start);
}

async function start(flags: Record<string, string | readonly string[] | undefined>): Promise<void> {
  const config = await loadConfig({ flags, environment: process.env, workingDirectory: process.cwd() });
  const interrupted = Promise.withResolvers<'interrupted'>();
  onInterrupt(() => interrupted.resolve('interrupted'));

  const daemon = await launchDaemon(config);
  const line = JSON.stringify({ event: 'ready', ...daemon.ready });
  process.stdout.write(`${line}\n`);
  const end = await Promise.race([interrupted.promise, daemon.failed]);
  await daemon.stop();
  if (end !== 'interrupted')
    throw new CliError(EXIT.START_FAILED, `The node stopped: ${end.message}`, { cause: end });
  // Whatever still holds the event loop, a stopped node has nothing left to do.
  process.exit(EXIT.OK);
}

/** The daemon is most of the program, so only this command loads it. */
async function launchDaemon(config: NodeConfig): Promise<Daemon> {
  // The young generation stays small: a daemon that mostly waits gains nothing from the 12 MiB that it would grow by.
  setFlagsFromString('--semi-space-growth-factor=1');
  const [{ default: pino }, { startDaemon }] = await Promise.all([
    import('pino'),
    import('../../node/daemon.ts'),
  ]);
  const logger = pino({ level: config.logLevel, base: { node: config.name } }, pino.destination(2));
  for (const { variable, meant } of unknownVariables(process.env))
    logger.warn({ variable }, `there is no option ${variable}; did you mean ${meant}?`);
  try {
    return await startDaemon(config, { logger, searchPath: process.env.PATH ?? '', lang: process.env.LANG });
  } catch (error) {
    throw explainStartFailure(error, config);
  }
}
