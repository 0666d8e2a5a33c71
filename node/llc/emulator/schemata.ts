/** A write to `schemata` in the emulator: every line is checked before any is applied. */

import { formatMask, fullMask, isContiguous, lowestRun, popCount } from '../masks.ts';
import type { Errno } from '../resctrl/port.ts';
import type { Controls, Schema } from './controls.ts';
import type { ControlGroup, LastCommandStatus } from './groups.ts';
import type { CompleteMachine } from './machine.ts';
import { parseUnsigned } from './numbers.ts';

export interface SchemataContext {
  readonly machine: CompleteMachine;
  readonly controls: Controls;
  readonly status: LastCommandStatus;
  readonly groups: () => Iterable<ControlGroup>;
}

/** Checked and not yet applied; the key keeps a second value for the same domain out. */
type Staged = Map<string, { readonly schema: Schema; readonly domain: number; readonly value: number }>;

/** What the kernel would return: an error, or null and it is done. */
export function writeSchemata(context: SchemataContext, group: ControlGroup, text: string): Errno | null {
  // Refused before anything is touched: the status keeps what it said before.
  if (!text.endsWith('\n')) return 'EINVAL';
  context.status.clear();
  const staged: Staged = new Map();
  for (const line of text.slice(0, -1).split('\n')) {
    const errno = stageLine(context, group, line, staged);
    if (errno !== null) return errno;
  }
  for (const { schema, domain, value } of staged.values()) {
    context.controls.set(schema, domain, group.closid, value);
  }
  return null;
}

function stageLine(
  context: SchemataContext,
  group: ControlGroup,
  line: string,
  staged: Staged,
): Errno | null {
  const colon = line.indexOf(':');
  if (colon < 0) return refuse(context, "Missing ':'");
  const name = line.slice(0, colon).trim();
  const values = line.slice(colon + 1);
  if (values === '') return refuse(context, `Missing '${name}' value`);
  const schema = context.controls.schemas.find((candidate) => candidate.name === name);
  if (schema === undefined) return refuse(context, `Unknown or unsupported resource name '${name}'`);
  const fields = values.split(';');
  // A semicolon at the end is taken; an empty field elsewhere isn't.
  if (fields.at(-1) === '') fields.pop();
  for (const field of fields) {
    const errno = stageField(context, group, schema, field, staged);
    if (errno !== null) return errno;
  }
  return null;
}

function stageField(
  context: SchemataContext,
  group: ControlGroup,
  schema: Schema,
  field: string,
  staged: Staged,
): Errno | null {
  const equals = field.indexOf('=');
  const domain = parseUnsigned(field.slice(0, Math.max(0, equals)), 10);
  if (equals < 0 || domain === null) return refuse(context, "Missing '=' or non-numeric domain");
  // An unknown domain is refused without a word: the status stays clear.
  if (!context.machine.domains.some(({ id }) => id === domain)) return 'EINVAL';
  const key = `${schema.name}:${domain}`;
  if (staged.has(key)) return refuse(context, `Duplicate domain ${domain}`);
  const text = field.slice(equals + 1).trim();
  const value =
    schema.kind === 'cache' ? checkMask(context, group, schema, domain, text) : checkBandwidth(context, text);
  if (typeof value === 'string') return refuse(context, value);
  staged.set(key, { schema, domain, value });
  return null;
}

/** The mask, or why not. */
function checkMask(
  { machine, controls, groups }: SchemataContext,
  group: ControlGroup,
  schema: Schema,
  domain: number,
  text: string,
): number | string {
  const mask = parseUnsigned(text, 16);
  if (mask === null) return `Non-hex character in the mask ${text}`;
  if ((mask === 0 && machine.minCbmBits > 0) || mask > fullMask(machine.ways)) return 'Mask out of range';
  if (!machine.sparseMasks && !isContiguous(mask)) {
    return `The mask ${formatMask(mask)} has non-consecutive 1-bits`;
  }
  // Of a mask with gaps the kernel counts the lowest run only.
  if (popCount(lowestRun(mask)) < machine.minCbmBits) {
    return `Need at least ${machine.minCbmBits} bits in the mask`;
  }
  const overlaps = (exclusive: boolean) =>
    controls.overlaps(schema, domain, mask, group.closid, groups(), exclusive);
  if (overlaps(true)) return 'Overlaps with exclusive group';
  if (group.mode === 'exclusive' && overlaps(false)) return 'Overlaps with other group';
  return mask;
}

/** The bandwidth in percent, rounded up to what the hardware can hold, or why not. */
function checkBandwidth({ machine, controls }: SchemataContext, text: string): number | string {
  const minimum = machine.mba?.minBandwidth ?? 0;
  const maximum = controls.default({ kind: 'bandwidth' });
  const granularity = machine.mba?.granularity ?? 1;
  const value = parseUnsigned(text, 10);
  if (value === null) return `Non-decimal digit in MB value ${text}`;
  if (value < minimum || value > maximum) return `MB value ${value} out of range [${minimum},${maximum}]`;
  return Math.ceil(value / granularity) * granularity;
}

function refuse(context: SchemataContext, why: string): Errno {
  context.status.add(why);
  return 'EINVAL';
}
