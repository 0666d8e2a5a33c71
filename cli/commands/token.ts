import { type Command, Option } from 'commander';
import { parseDuration } from '../../node/config/values.ts';
import type { MadeTokenJson, TokenJson } from '../../node/rest/schemas/tokens.ts';
import { MemberRole, SCOPES } from '../../protocols/schema/token.ts';
import { type ApiFlags, makeClient, wholeNumber, withApiOptions } from '../api-command.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { formatMoment } from '../format.ts';
import { onlyOne } from '../lookup.ts';
import { note, show } from '../output.ts';
import { type Column, formatTable } from '../table.ts';

const MORE = `
Whoever asks a node shows a token of the kind that "create" makes, or is root or
the user of the node on its own machine. fsched takes its token from
--api-token-file, FSCHED_API_TOKEN, FSCHED_API_TOKEN_FILE, or, for a node on
this machine, from its data directory (FSCHED_DATA_DIR), the first of these.`;

export function registerToken(program: Command): void {
  const token = withApiOptions(program.command('token'))
    .description('tokens for the API and for nodes that join: make, list, revoke, rotate')
    .addHelpText('after', MORE)
    .action((flags: ApiFlags) => list(flags));
  withApiOptions(token.command('create'))
    .description('make a token and print it, this once')
    .option('--join', 'for a node that joins (default: for the API)')
    .option('--name <name>', 'a name for people')
    .addOption(new Option('--scope <scope>', 'what its bearer may (default: submit)').choices(SCOPES))
    .addOption(
      new Option('--role <role>', 'what a node becomes by it (default: voter)').choices(MemberRole.enum),
    )
    .option('--uses <n>', 'how many nodes it lets in, or unlimited (default: 1)')
    .option('--ttl <time>', 'how long it holds, such as 24h or 90d, or never')
    .action((_own: unknown, command: Command) => create(command.optsWithGlobals()));
  withApiOptions(token.command('list'))
    .description('the tokens that there are, newest first, without their texts')
    .action((_own: unknown, command: Command) => list(command.optsWithGlobals()));
  withApiOptions(token.command('revoke <id>'))
    .description('let nobody in by it any more (an id or its beginning)')
    .action((id: string, _own: unknown, command: Command) => revoke(id, command.optsWithGlobals()));
  withApiOptions(token.command('rotate <id>'))
    .description('print a new one with the same properties, and revoke this one')
    .action((id: string, _own: unknown, command: Command) => rotate(id, command.optsWithGlobals()));
}

interface CreateFlags extends ApiFlags {
  readonly join?: true;
  readonly name?: string;
  readonly scope?: string;
  readonly role?: string;
  readonly uses?: string;
  readonly ttl?: string;
}

async function create(flags: CreateFlags): Promise<void> {
  const { join, name, scope, role, uses, ttl } = flags;
  const foreign = join ? { '--scope': scope } : { '--role': role, '--uses': uses };
  for (const [flag, value] of Object.entries(foreign)) {
    if (value === undefined) continue;
    const advice = join ? 'leave it out, or leave out --join' : 'give --join beside it';
    throw new CliError(EXIT.USAGE, `${flag} is not for this kind of token: ${advice}`);
  }
  const body = {
    kind: join ? 'join' : 'api',
    ...(name !== undefined && { name }),
    ...(scope !== undefined && { scope }),
    ...(role !== undefined && { role }),
    ...(uses !== undefined && { uses: uses === 'unlimited' ? null : wholeNumber('--uses', uses) }),
    ...(ttl !== undefined && { ttl_seconds: ttl === 'never' ? null : secondsOf(ttl) }),
  };
  reveal(flags, await makeClient(flags).post<MadeTokenJson>('/tokens', body));
}

function secondsOf(ttl: string): number {
  const usage = (why: string) => new CliError(EXIT.USAGE, `--ttl: ${why}`);
  if (/^[0-9.]+$/.test(ttl.trim())) throw usage(`say in which unit: ${ttl}h or ${ttl}d, or never`);
  const parsed = parseDuration(60_000, 3_650 * 86_400_000)(ttl);
  if (!parsed.ok)
    throw usage(`write a time from 1m to 3650d such as 24h or 90d, or never, not ${JSON.stringify(ttl)}`);
  return Math.round(parsed.value / 1000);
}

/** The token alone on standard output, for `$(fsched token create)`. */
function reveal(flags: ApiFlags, made: MadeTokenJson): void {
  show(flags, made, ({ token }) => [token]);
  if (flags.json) return;
  const until = made.expires_at === null ? 'until it is revoked' : `until ${formatMoment(made.expires_at)}`;
  note(`token ${made.id} for ${purposeOf(made)}, good ${until}; it is shown this once`);
}

const purposeOf = ({ kind, scope, role, uses }: TokenJson): string => {
  if (kind === 'api') return `the API with the scope ${scope}`;
  return `${uses === null ? 'any number of nodes' : uses === 1 ? 'one node' : `${uses} nodes`} as ${role}`;
};

const COLUMNS: readonly Column<TokenJson>[] = [
  { title: 'TOKEN', value: (token) => token.id },
  { title: 'KIND', value: (token) => token.kind },
  { title: 'FOR', value: (token) => token.scope ?? token.role ?? '' },
  { title: 'NAME', value: (token) => token.name, cut: 'end' },
  {
    title: 'USED',
    value: ({ used, uses }) => (used === null ? '' : `${used}/${uses ?? '∞'}`),
    align: 'right',
  },
  { title: 'STATE', value: (token) => token.state },
  {
    title: 'EXPIRES',
    value: ({ expires_at: at }) => (at === null ? 'never' : formatMoment(at)),
  },
];

const fetchTokens = async (flags: ApiFlags) =>
  makeClient(flags).get<{ readonly tokens: readonly TokenJson[] }>('/tokens');

async function list(flags: ApiFlags): Promise<void> {
  show(flags, await fetchTokens(flags), ({ tokens }) =>
    tokens.length === 0 ? ['no tokens: "fsched token create" makes one'] : formatTable(tokens, COLUMNS),
  );
}

async function revoke(wanted: string, flags: ApiFlags): Promise<void> {
  const { id } = await find(wanted, flags);
  const token = await makeClient(flags).delete<TokenJson>(`/tokens/${id}`);
  show(flags, token, ({ name }) => [`token ${id} (${name}) is revoked`]);
}

async function rotate(wanted: string, flags: ApiFlags): Promise<void> {
  const { id } = await find(wanted, flags);
  reveal(flags, await makeClient(flags).post<MadeTokenJson>(`/tokens/${id}/rotate`));
}

async function find(wanted: string, flags: ApiFlags): Promise<TokenJson> {
  // Whoever gives the token itself shall not send it about to find out.
  if (/^fs[aj]_/.test(wanted))
    throw new CliError(
      EXIT.USAGE,
      'ID: write the id of the token, not the token; "fsched token list" lists them',
    );
  const { tokens } = await fetchTokens(flags);
  const exact = tokens.find(({ id }) => id === wanted);
  const token =
    exact ??
    onlyOne(
      'tokens',
      wanted,
      tokens.filter(({ id }) => id.startsWith(wanted)),
    );
  if (token !== null) return token;
  throw new CliError(
    EXIT.NOT_FOUND,
    `there is no token ${JSON.stringify(wanted)}: "fsched token list" lists them`,
  );
}
