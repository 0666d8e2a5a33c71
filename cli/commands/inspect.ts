import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { parseTarget } from '../../node/addresses.ts';
import { defaultDataDir, type Environment, readHost } from '../../node/config/config.ts';
import { loadToken } from '../../node/membership/token.ts';
import type { Credential } from '../../protocols/proof/index.ts';
import { joinCredential } from '../../protocols/proof/token-keys.ts';
import { printable } from '../../protocols/schema/text.ts';
import { CliError, EXIT, type ExitCode } from '../exit-codes.ts';
import { show } from '../output.ts';

export function registerInspect(program: Command, environment: Environment): void {
  program
    .command('inspect <target>')
    .description("a node's own view, asked over libp2p, with or without a master (HOST:PORT or multiaddr)")
    .addOption(
      new Option(
        '--token-file <file>',
        "a join token, where this machine's node is no member (default: the key of the node in DATA-DIR)",
      ).env('FSCHED_TOKEN_FILE'),
    )
    .addOption(
      new Option('--data-dir <dir>', 'data directory of a node of this machine')
        .env('FSCHED_DATA_DIR')
        .default(defaultDataDir(environment, readHost()), '$XDG_STATE_HOME/fsched'),
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
  if (!parsed.ok) throw new CliError(EXIT.USAGE, `TARGET: ${parsed.error}`);
  const credential = await credentialOf(flags);
  // Libp2p is heavy, so only what needs it loads it.
  const { inspectPeer } = await import('../../node/mesh/strangers.ts');
  const answer = await inspectPeer(target, credential);
  if (!answer.ok) {
    const { code, message } = answer.error;
    throw new CliError(EXIT_BY_CODE[code] ?? EXIT.REFUSED, `${target} can't be inspected: ${message}`);
  }
  show(flags, answer.value.view, (view) => describeView(view));
}

/** The key of a node of this machine needs no token, and doesn't expire; a join token does from elsewhere. */
async function credentialOf({ tokenFile, dataDir }: InspectFlags): Promise<Credential> {
  if (tokenFile === undefined) {
    const { loadCredential } = await import('../../node/mesh/key-file.ts');
    const own = await loadCredential(join(dataDir, 'peer-key'));
    if (own !== null) return own;
  }
  const token = await loadToken(tokenFile ?? join(dataDir, 'join-token'), false);
  if (token.ok) return joinCredential(token.value);
  throw new CliError(
    EXIT.USAGE,
    `the key of a member is needed, or a join token: name the --data-dir of a node of this machine; ${token.error.message}`,
  );
}

/** Any value as indented lines: what a node says of itself may grow without this program knowing. */
function describeView(value: unknown, indent = ''): readonly string[] {
  if (typeof value !== 'object' || value === null) return [indent + printable(String(value))];
  const entries = Object.entries(value);
  if (entries.length === 0) return [`${indent}none`];
  return entries.flatMap(([key, part]) => {
    const name = Array.isArray(value) ? `${indent}-` : `${indent}${printable(key.replaceAll('_', ' '))}:`;
    if (typeof part !== 'object' || part === null) return [`${name} ${printable(String(part ?? 'none'))}`];
    if (isShortList(part)) return [`${name} ${part.map(String).map(printable).join(', ') || 'none'}`];
    return [name, ...describeView(part, `${indent}  `)];
  });
}

function isShortList(value: object): value is readonly (string | number | boolean)[] {
  if (!Array.isArray(value) || value.some((part) => typeof part === 'object')) return false;
  return value.map(String).join(', ').length < 60;
}
