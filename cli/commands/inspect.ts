import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { DEFAULTS } from '../../node/config/config.ts';
import { parseTarget } from '../../node/config/values.ts';
import { loadToken } from '../../node/membership/token.ts';
import { CliError, EXIT, type ExitCode } from '../exit-codes.ts';
import { inspectPeer } from '../inspect-peer.ts';
import { describeView } from '../inspect-view.ts';
import { print, printJson } from '../output.ts';

export function registerInspect(program: Command): void {
  program
    .command('inspect <target>')
    .description("a node's own view, asked over libp2p, with or without a master (HOST:PORT or multiaddr)")
    .addOption(
      new Option('--token-file <file>', 'the join token (default: DATA-DIR/join-token)').env(
        'FSCHED_TOKEN_FILE',
      ),
    )
    .addOption(
      new Option('--data-dir <dir>', 'where to find the join token')
        .env('FSCHED_DATA_DIR')
        .default(DEFAULTS.dataDir, '$XDG_STATE_HOME/fsched'),
    )
    .option('--json', 'print the JSON that the node sent')
    .action(inspect);
}

interface InspectFlags {
  readonly tokenFile?: string;
  readonly dataDir: string;
  readonly json?: boolean;
}

const EXIT_BY_CODE: Readonly<Record<string, ExitCode>> = {
  UNREACHABLE: EXIT.UNREACHABLE,
  TIMEOUT: EXIT.TIMED_OUT,
};

async function inspect(target: string, flags: InspectFlags): Promise<void> {
  const parsed = await parseTarget(target);
  if (!parsed.ok) throw new CliError(EXIT.USAGE, `TARGET: ${parsed.error}.`);
  const token = await loadToken(flags.tokenFile ?? join(flags.dataDir, 'join-token'), false);
  if (!token.ok) throw new CliError(EXIT.USAGE, `The join token is needed: ${token.error.message}.`);
  const answer = await inspectPeer(parsed.value, token.value);
  if (!answer.ok) {
    const { code, message } = answer.error;
    throw new CliError(EXIT_BY_CODE[code] ?? EXIT.REFUSED, `${target} can't be inspected: ${message}`);
  }
  if (flags.json) printJson(answer.value.view);
  else print(describeView(answer.value.view));
}
