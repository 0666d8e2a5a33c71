/**
 * Protobuf's 64-bit integers are bigints in JavaScript; ours are numbers up to 2^53.
 */
import { WireError } from './error.ts';

/** For encoding: negative and fractional numbers, which no field here may be, become the nearest that may. */
export function wide(value: number): bigint {
  if (!(value > 0)) return 0n;
  return BigInt(Math.min(Math.round(value), Number.MAX_SAFE_INTEGER));
}

/** @throws WireError MALFORMED when a number can't hold it */
export function narrow(value: bigint): number {
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new WireError('MALFORMED', `the integer ${value} is out of range`);
  }
  return Number(value);
}

/** For encoding 32-bit fields. */
export function small(value: number): number {
  if (!(value > 0)) return 0;
  return Math.min(Math.round(value), 0xffff_ffff);
}
