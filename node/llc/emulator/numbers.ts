/** How the kernel reads numbers from text (lib/kstrtox.c), for the emulator. */

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
