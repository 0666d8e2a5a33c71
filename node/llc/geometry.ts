import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';

/** Shape of a last-level cache: `ways` of `wayBytes` each. */
export interface LlcGeometry {
  readonly ways: number;
  readonly wayBytes: number;
}

export interface GeometryFailure {
  readonly code: 'BAD_GEOMETRY';
  readonly message: string;
}

/** What a machine is taken to have when it tells nothing. */
export const ASSUMED_GEOMETRY: LlcGeometry = { ways: 16, wayBytes: 1024 * 1024 };

/** Capacity bit masks of resctrl have 32 bits at most (kernel documentation, filesystems/resctrl.rst). */
export const MASK_BITS = 32;
const MIN_WAY_BYTES = 4 * 1024;
const MAX_WAY_BYTES = 1024 ** 3;
const UNITS: Readonly<Record<string, number>> = { k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** Reads `WAYSxWAYSIZE`, for example `16x2MiB` or `12x256KiB`. */
export function parseGeometry(text: string): Outcome<LlcGeometry, GeometryFailure> {
  const match = /^(\d{1,4})\s*x\s*(\d{1,10})\s*(?:([kmg])(?:i?b)?|b)?$/i.exec(text.trim());
  if (match === null) return bad(text, 'it is not WAYSxWAYSIZE');
  const ways = Number(match[1]);
  const wayBytes = Number(match[2]) * (UNITS[match[3]?.toLowerCase() ?? ''] ?? 1);
  if (ways < 1 || ways > MASK_BITS) return bad(text, `a cache has 1 to ${MASK_BITS} ways`);
  if (wayBytes < MIN_WAY_BYTES || wayBytes > MAX_WAY_BYTES) return bad(text, 'a way has 4 KiB to 1 GiB');
  return succeed({ ways, wayBytes });
}

function bad(text: string, why: string): Outcome<never, GeometryFailure> {
  const message = `"${text}" is no cache geometry: ${why}. Write for example 16x2MiB or 12x256KiB.`;
  return fail({ code: 'BAD_GEOMETRY', message });
}
