/** Parsers of single values that people write: each gives the value, or the sentence that says what to write. */
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import { hasControlCharacters } from '../../protocols/schema/text.ts';
import type { ReserveSize } from '../disk/reserve.ts';
import type { UidRange } from '../worker/isolation/uid-range.ts';
import type { Host } from './config.ts';

/** Reads one value from a flag, an environment variable or a JSON file; an error says what to write. */
export type Parse<T> = (value: unknown, host: Host) => Outcome<T, string>;
/** As `Parse`, of what is the same on every machine. */
type ParseAnywhere<T> = (value: unknown) => Outcome<T, string>;

const shown = (value: unknown) => JSON.stringify(value) ?? String(value);

/** The text that an option is written as, without the blanks around it. */
export const textOf = (value: unknown): string => (typeof value === 'string' ? value.trim() : shown(value));

/** Control characters in names of files would surprise somebody in a terminal or a log. */
export const parseText =
  (what: string, maxLength = 4096): ParseAnywhere<string> =>
  (value) =>
    typeof value === 'string' && value !== '' && value.length <= maxLength && !hasControlCharacters(value)
      ? succeed(value)
      : fail(`write ${what}, at most ${maxLength} characters and no control characters, not ${shown(value)}`);

export const parseChoice =
  <const T extends string>(choices: readonly T[]): ParseAnywhere<T> =>
  (value) => {
    const choice = choices.find((candidate) => candidate === value);
    return choice === undefined
      ? fail(`write one of ${choices.join(', ')}, not ${shown(value)}`)
      : succeed(choice);
  };

/** A number of `units`, as a JSON number or as text with an optional suffix; whole if not told otherwise. */
function parseQuantity(
  units: Readonly<Record<string, number>>,
  min: number,
  max: number,
  example: string,
  round: (quantity: number) => number = Math.round,
): ParseAnywhere<number> {
  return (value) => {
    const match = /^([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)$/.exec(textOf(value));
    const factor = units[match?.[2]?.toLowerCase() ?? '?'];
    const quantity = factor === undefined ? Number.NaN : round(Number(match?.[1]) * factor);
    if (quantity >= min && quantity <= max) return succeed(quantity);
    return fail(`write ${example}, from ${min} to ${max}, not ${shown(value)}`);
  };
}

/** Powers of 1024 whatever the spelling, as in cache geometries. */
const SIZE_UNITS = {
  '': 1,
  b: 1,
  ...{ k: 1024, kb: 1024, kib: 1024 },
  ...{ m: 1024 ** 2, mb: 1024 ** 2, mib: 1024 ** 2 },
  ...{ g: 1024 ** 3, gb: 1024 ** 3, gib: 1024 ** 3 },
};
const TIME_UNITS = { '': 1, ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/** Bytes: `1048576`, `1024K`, `1MiB`. */
export const parseSize = (min: number, max: number): ParseAnywhere<number> =>
  parseQuantity(SIZE_UNITS, min, max, 'a size in bytes such as 1048576, 512K or 256MiB');

/** As `parse`, or `none`: null. */
export const parseOrNone =
  <T>(parse: Parse<T>): Parse<T | null> =>
  (value, host) => {
    if (value === 'none') return succeed(null);
    const parsed = parse(value, host);
    return parsed.ok ? parsed : fail(`${parsed.error}; or write none`);
  };

/** Bytes as `parseSize` reads them, or a share of the machine's memory such as 80%. */
export const parseMemory =
  (min: number, max: number): Parse<number> =>
  (value, { memoryBytes }) => {
    const share = /^([0-9]+(?:\.[0-9]+)?)\s*%$/.exec(textOf(value))?.[1];
    if (share === undefined) return parseSize(min, max)(value);
    const size = Math.floor((Number(share) / 100) * memoryBytes);
    return Number(share) <= 100 && size >= min
      ? succeed(size)
      : fail(`write a share of at most 100% that leaves ${min} bytes, not ${shown(value)}`);
  };

/** Of a disk: bytes, or a share of the file system such as 5%, which is then `atLeast` so much. */
export const parseReserve =
  (min: number, max: number, atLeast: number): ParseAnywhere<ReserveSize> =>
  (value) => {
    const share = /^([0-9]+(?:\.[0-9]+)?)\s*%$/.exec(textOf(value))?.[1];
    if (share !== undefined && Number(share) <= 90)
      return succeed({ share: Number(share) / 100, bytes: atLeast });
    const size = parseSize(min, max)(value);
    if (size.ok) return succeed({ share: 0, bytes: size.value });
    return fail(`${size.error}; or a share of the disk of at most 90%`);
  };

/** `on` or `off`; in a file also true or false. */
export const parseSwitch: ParseAnywhere<boolean> = (value) => {
  if (value === true || value === 'on') return succeed(true);
  if (value === false || value === 'off') return succeed(false);
  return fail(`write on or off, not ${shown(value)}`);
};

/** A number such as 2 or 1.5. */
export const parseAmount = (min: number, max: number): ParseAnywhere<number> =>
  parseQuantity({ '': 1 }, min, max, 'a number', (amount) => amount);

/** Milliseconds: `500`, `500ms`, `60s`, `5m`. */
export const parseDuration = (min: number, max: number): ParseAnywhere<number> =>
  parseQuantity(TIME_UNITS, min, max, 'a time in milliseconds such as 60000, 500ms, 60s or 5m');

/** As `parseSize` reads it, in the largest unit that needs no fraction. */
export function formatSize(bytes: number): string {
  for (const [unit, factor] of Object.entries({ GiB: 1024 ** 3, MiB: 1024 ** 2, KiB: 1024 })) {
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return String(bytes);
}

/** As `parseDuration` reads it. */
export const formatDuration = (ms: number): string =>
  ms >= 1000 && ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;

/** Below are the users of the system; 2^32 - 1 means no change (setresuid(2)). */
const UIDS = { first: 1000, last: 2 ** 32 - 2 };
/** `nobody`, and what it was where an id had 16 bits. */
const NOBODY = [65_534, 65_535];
const MAX_UIDS = 65_536;

/** `60800-61183`. */
export const parseUidRange: ParseAnywhere<UidRange> = (value) => {
  const match = /^(\d{1,10})-(\d{1,10})$/.exec(textOf(value));
  const [first, last] = [Number(match?.[1]), Number(match?.[2])];
  const isRange = first >= UIDS.first && first <= last && last <= UIDS.last && last - first < MAX_UIDS;
  if (isRange && NOBODY.every((id) => id < first || id > last)) return succeed({ first, last });
  return fail(
    `write the first and the last of at most ${MAX_UIDS} user ids, such as 60800-61183, from ${UIDS.first} to ${UIDS.last} without ${NOBODY.join(' and ')}, not ${shown(value)}`,
  );
};

export const parseCount = (min: number, max: number): ParseAnywhere<number> =>
  parseQuantity({ '': 1 }, min, max, 'a whole number');
