/** The lines of a `schemata` or `size` file as data (kernel documentation, filesystems/resctrl.rst). */
import { formatMask } from '../masks.ts';

export interface SchemataLine {
  /** `L3`, `L3DATA`, `L3CODE`, `L2`, `MB` and what kernels to come may add. */
  readonly resource: string;
  /** By id of the domain, in the order of the file: capacity masks of caches; percent or MB/s of bandwidths. */
  readonly values: ReadonlyMap<number, number>;
}

/** Caches are written in hexadecimal, bandwidths (`MB`, `SMBA`) in decimal. */
const isCache = (resource: string): boolean => /^L\d/.test(resource);

/**
 * Never fails: a value that is no number is left out, as in `L3:uninitialized` of a group in the course of
 * pseudo-locking.
 */
export function parseSchemata(text: string): SchemataLine[] {
  return parseLines(text, (resource) => (isCache(resource) ? 16 : 10));
}

/** `size`: bytes of each domain's mask, in decimal throughout. */
export function parseSizes(text: string): SchemataLine[] {
  return parseLines(text, () => 10);
}

/** What a write to `schemata` takes: a newline ends every line, also the last. */
export function formatSchemata(lines: readonly SchemataLine[]): string {
  return lines
    .map(({ resource, values }) => {
      const format = isCache(resource) ? formatMask : String;
      const fields = [...values].map(([domain, value]) => `${domain}=${format(value)}`);
      return `${resource}:${fields.join(';')}\n`;
    })
    .join('');
}

function parseLines(text: string, baseOf: (resource: string) => 10 | 16): SchemataLine[] {
  return text.split('\n').flatMap((line) => {
    const colon = line.indexOf(':');
    if (colon < 0) return [];
    const resource = line.slice(0, colon).trim();
    const values = new Map<number, number>();
    for (const field of line.slice(colon + 1).split(';')) {
      const match = /^\s*(\d+)\s*=\s*([0-9a-f]+)\s*$/i.exec(field);
      const value = Number.parseInt(match?.[2] ?? '', baseOf(resource));
      if (match !== null && !Number.isNaN(value)) values.set(Number(match[1]), value);
    }
    return [{ resource, values }];
  });
}
