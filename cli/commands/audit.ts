import type { Command } from 'commander';
import type { AuditJson } from '../../node/rest/schemas/tokens.ts';
import { type ApiFlags, durationMs, makeClient, wholeNumber, withApiOptions } from '../api-command.ts';
import { formatMoment } from '../format.ts';
import { show } from '../output.ts';
import { type Column, formatTable } from '../table.ts';

export function registerAudit(program: Command): void {
  withApiOptions(program.command('audit'))
    .description('who did what that not everybody may do, newest first')
    .option('--limit <n>', 'at most this many', '100')
    .option('--since <time>', 'a time such as 2025-01-31T12:00:00Z, or how long ago, such as 24h')
    .action(showAudit);
}

interface AuditFlags extends ApiFlags {
  readonly limit: string;
  readonly since?: string;
}

type Entry = AuditJson['entries'][number];

const COLUMNS: readonly Column<Entry>[] = [
  { title: 'WHEN', value: ({ at }) => formatMoment(at) },
  { title: 'WHO', value: ({ who, token_id: id }) => (id === null ? who : `${who} (${id})`), cut: 'end' },
  { title: 'NODE', value: ({ node }) => `…${node.slice(-6)}` },
  { title: 'DID', value: ({ action }) => action, cut: 'end' },
  { title: 'TO', value: ({ subject }) => subject, cut: 'middle' },
];

async function showAudit(flags: AuditFlags): Promise<void> {
  const query = { limit: wholeNumber('--limit', flags.limit), since: flags.since && momentOf(flags.since) };
  show(flags, await makeClient(flags).get<AuditJson>('/audit', query), ({ entries }) =>
    entries.length === 0 ? ['nothing'] : formatTable(entries, COLUMNS),
  );
}

/** How long ago, or a moment, which the node reads. */
const momentOf = (since: string): string =>
  /^\d{4}-/.test(since) ? since : new Date(Date.now() - durationMs('--since', since)).toISOString();
