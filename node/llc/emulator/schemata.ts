/** A write to `schemata` in the emulator: every line is checked before any is applied. */
import { formatMask, fullMask, isContiguous, lowestRun, popCount } from '../masks.ts';
import type { Errno } from '../resctrl/port.ts';
import type { Schema } from './controls.ts';
import type { ControlGroup } from './groups.ts';
import type { MountedKernel } from './kernel.ts';
import { parseUnsigned } from './numbers.ts';

/** Checked and not yet applied; the key keeps a second value for the same domain out. */
type Staged = Map<string, { readonly schema: Schema; readonly domain: number; readonly value: number }>;

/** What the kernel would return: an error, or null and it is done. */
export function writeSchemata(kernel: MountedKernel, group: ControlGroup, text: string): Errno | null {
  // Refused before anything is touched: the status keeps what it said before.
  if (!text.endsWith('\n')) return 'EINVAL';
  kernel.parts.status.clear();
  const staged: Staged = new Map();
  for (const line of text.slice(0, -1).split('\n')) {
    const errno = stageLine(kernel, group, line, staged);
    if (errno !== null) return errno;
  }
  for (const { schema, domain, value } of staged.values()) {
    kernel.controls.set(schema, domain, group.closid, value);
  }
  return null;
}

function stageLine(kernel: MountedKernel, group: ControlGroup, line: string, staged: Staged): Errno | null {
  const colon = line.indexOf(':');
  if (colon < 0) return refuse(kernel, "Missing ':'");
  const name = line.slice(0, colon).trim();
  const values = line.slice(colon + 1);
  if (values === '') return refuse(kernel, `Missing '${name}' value`);
  const schema = kernel.controls.schemas.find((candidate) => candidate.name === name);
  if (schema === undefined) return refuse(kernel, `Unknown or unsupported resource name '${name}'`);
  const fields = values.split(';');
  // A semicolon at the end is taken; an empty field elsewhere isn't.
  if (fields.at(-1) === '') fields.pop();
  for (const field of fields) {
    const errno = stageField(kernel, group, schema, field, staged);
    if (errno !== null) return errno;
  }
  return null;
}

function stageField(
  kernel: MountedKernel,
  group: ControlGroup,
  schema: Schema,
  field: string,
  staged: Staged,
): Errno | null {
  const equals = field.indexOf('=');
  const domain = parseUnsigned(field.slice(0, Math.max(0, equals)), 10);
  if (equals < 0 || domain === null) return refuse(kernel, "Missing '=' or non-numeric domain");
  // An unknown domain is refused without a word: the status stays clear.
  if (!kernel.parts.machine.domains.some(({ id }) => id === domain)) return 'EINVAL';
  const key = `${schema.name}:${domain}`;
  if (staged.has(key)) return refuse(kernel, `Duplicate domain ${domain}`);
  const text = field.slice(equals + 1).trim();
  const value =
    schema.kind === 'cache' ? checkMask(kernel, group, schema, domain, text) : checkBandwidth(kernel, text);
  if (typeof value === 'string') return refuse(kernel, value);
  staged.set(key, { schema, domain, value });
  return null;
}

/** The mask, or why not. */
function checkMask(
  kernel: MountedKernel,
  group: ControlGroup,
  schema: Schema,
  domain: number,
  text: string,
): number | string {
  const { controls } = kernel;
  const { machine } = kernel.parts;
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
    controls.overlaps(schema, domain, mask, group.closid, kernel.groups(), exclusive);
  if (overlaps(true)) return 'Overlaps with exclusive group';
  if (group.mode === 'exclusive' && overlaps(false)) return 'Overlaps with other group';
  return mask;
}

/** The bandwidth in percent, rounded up to what the hardware can hold, or why not. */
function checkBandwidth({ parts: { machine }, controls }: MountedKernel, text: string): number | string {
  const minimum = machine.mba?.minBandwidth ?? 0;
  const maximum = controls.default({ kind: 'bandwidth' });
  const granularity = machine.mba?.granularity ?? 1;
  const value = parseUnsigned(text, 10);
  if (value === null) return `Non-decimal digit in MB value ${text}`;
  if (value < minimum || value > maximum) return `MB value ${value} out of range [${minimum},${maximum}]`;
  return Math.ceil(value / granularity) * granularity;
}

function refuse(kernel: MountedKernel, why: string): Errno {
  kernel.parts.status.add(why);
  return 'EINVAL';
}
