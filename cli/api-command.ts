/** What all commands that speak REST have in common: their options, and the client made of them. */
import { randomUUID } from 'node:crypto';
import { type Command, Option } from 'commander';
import { parseDuration } from '../node/config/values.ts';
import { ApiClient, DEFAULT_API } from './api-client.ts';
import { findToken } from './api-token.ts';
import { CliError, EXIT } from './exit-codes.ts';

/** Long enough for a node that forwards to a master which is being elected. */
const QUERY_TIMEOUT = '30s';

export interface ApiFlags {
  readonly api: string;
  readonly apiTokenFile?: string;
  readonly caFile?: string;
  readonly json?: boolean;
  readonly timeout?: string;
}

/** Adds `--api`, `--api-token-file`, `--ca-file`, `--timeout` and `--json`. `patient`: waits for its answer as long as it takes. */
export function withApiOptions(command: Command, { patient = false } = {}): Command {
  const timeout = new Option('--timeout <time>', 'how long to wait for an answer, such as 500ms or 30s');
  return command
    .addOption(new Option('--api <url>', 'URL of any node').env('FSCHED_API').default(DEFAULT_API))
    .option('--api-token-file <file>', 'file with the API token (see fsched token --help)')
    .addOption(
      new Option('--ca-file <file>', 'certificates (PEM) that alone are trusted by https').env(
        'FSCHED_CA_FILE',
      ),
    )
    .addOption(patient ? timeout : timeout.default(QUERY_TIMEOUT))
    .option('--json', 'print the JSON of the REST API');
}

export function makeClient(flags: ApiFlags): ApiClient {
  return new ApiClient({
    api: flags.api,
    token: (api) => findToken(api, { file: flags.apiTokenFile || null, environment: process.env }),
    caFile: flags.caFile || null,
    timeoutMs: flags.timeout === undefined ? null : durationMs('--timeout', flags.timeout),
  });
}

/** With a key the node may hand the request to the next master when this one dies, and still it counts once. */
export const repeatable = (key: string = randomUUID()): Readonly<Record<string, string>> => ({
  'idempotency-key': key,
});

const usage = (name: string, message: string): CliError => new CliError(EXIT.USAGE, `${name}: ${message}`);

/**
 * Throws a usage error that names the flag. A bare number is refused: REST counts in seconds, the options of a node in
 * milliseconds, and a wait of 30 must not end after 30 ms.
 */
export function durationMs(flag: string, value: string): number {
  if (/^[0-9.]+$/.test(value.trim())) throw usage(flag, `say in which unit: ${value}s or ${value}ms`);
  const parsed = parseDuration(1, 7 * 86_400_000)(value);
  if (!parsed.ok) throw usage(flag, parsed.error);
  return parsed.value;
}

/** As every request that runs something takes it; the node knows the default. */
export const maxSlowdownOption = (): Option =>
  new Option(
    '--max-slowdown <factor>',
    'how much slower than with the whole cache it may be (default: 1.05)',
  ).argParser((value) => {
    const factor = /^\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
    if (factor >= 1 && factor <= 100) return factor;
    throw usage('--max-slowdown', `write a factor from 1 to 100 such as 1.05, not ${JSON.stringify(value)}`);
  });

/** A whole number of 0 or more, as task programs take for their input size. */
export function wholeNumber(name: string, value: string): number {
  if (/^[0-9]+$/.test(value) && Number.isSafeInteger(Number(value))) return Number(value);
  throw usage(name, `write a whole number such as 1000, not ${JSON.stringify(value)}`);
}
