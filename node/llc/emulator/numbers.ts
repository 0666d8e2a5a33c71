/** How the kernel reads numbers and sets of CPUs from text (lib/kstrtox.c, lib/bitmap-str.c), for the emulator. */
import type { Errno } from '../resctrl/port.ts';

const MAX_UNSIGNED_LONG = 0xffff_ffff_ffff_ffffn;
const MAX_INT = 0x7fff_ffffn;

/**
 * One number and nothing else but a plus sign before and one newline after it. Base 0 takes 0x and 0 as prefixes.
 * Null where the kernel says EINVAL or ERANGE; above 2^53 the result is rounded, which no caller can tell.
 */
export function parseUnsigned(text: string, base: 0 | 10 | 16): number | null {
  const value = parseDigits(text.replace(/^\+/, ''), base);
  return value === null || value > MAX_UNSIGNED_LONG ? null : Number(value);
}

/** As `parseUnsigned`, with a sign, and 32 bits. */
export function parseInteger(text: string): number | null {
  const negative = text.startsWith('-');
  const value = parseDigits(text.replace(/^[+-]/, ''), 0);
  if (value === null || value > MAX_INT + (negative ? 1n : 0n)) return null;
  return Number(negative ? -value : value);
}

function parseDigits(text: string, base: 0 | 10 | 16): bigint | null {
  const digits = text.replace(/\n$/, '');
  const hex = base === 10 ? null : /^0x([0-9a-f]+)$/i.exec(digits);
  if (hex !== null) return BigInt(`0x${hex[1]}`);
  if (base === 16) return /^[0-9a-f]+$/i.test(digits) ? BigInt(`0x${digits}`) : null;
  if (base === 0 && /^0[0-7]+$/.test(digits)) return BigInt(`0o${digits.slice(1)}`);
  if (base === 0 && /^0\d/.test(digits)) return null;
  return /^\d+$/.test(digits) ? BigInt(digits) : null;
}

export type ParsedCpus = { readonly cpus: Set<number> } | { readonly errno: Errno };

/** `0-3,8`; empty is the empty set. The kernel's `all`, `N` and strides are left out: nobody writes them here. */
export function parseCpuListAsKernel(text: string, possible: number): ParsedCpus {
  const cpus = new Set<number>();
  for (const part of text.split(/[\s,]+/).filter((piece) => piece !== '')) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (match === null) return { errno: 'EINVAL' };
    const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])];
    if (last < first) return { errno: 'EINVAL' };
    if (last >= possible) return { errno: 'ERANGE' };
    for (let cpu = first; cpu <= last; cpu++) cpus.add(cpu);
  }
  return { cpus };
}

/** Hexadecimal groups of 32 bits, the highest first: `ff,00000000`. */
export function parseCpuMaskAsKernel(text: string, possible: number): ParsedCpus {
  const groups = text.trim().split(',');
  if (!groups.every((group) => /^[0-9a-f]{1,8}$/i.test(group))) return { errno: 'EINVAL' };
  const bits = BigInt(`0x${groups.map((group) => group.padStart(8, '0')).join('')}`);
  if (bits >> BigInt(possible) !== 0n) return { errno: 'EOVERFLOW' };
  const cpus = new Set<number>();
  for (let cpu = 0; cpu < possible; cpu++) if ((bits >> BigInt(cpu)) & 1n) cpus.add(cpu);
  return { cpus };
}

/** As wide as the number of possible CPUs needs. */
export function formatCpuMask(cpus: ReadonlySet<number>, possible: number): string {
  let bits = 0n;
  for (const cpu of cpus) bits |= 1n << BigInt(cpu);
  const groups: string[] = [];
  for (let low = 0; low < possible; low += 32) {
    const width = Math.ceil(Math.min(32, possible - low) / 4);
    groups.unshift(((bits >> BigInt(low)) & 0xffff_ffffn).toString(16).padStart(width, '0'));
  }
  return groups.join(',');
}
