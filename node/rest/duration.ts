/** Times as JSON shows them. */

/** RFC 3339 in UTC with milliseconds. */
export const timestamp = (epochMs: number): string => new Date(epochMs).toISOString();
export const timestampOrNull = (epochMs: number | null): string | null =>
  epochMs === null ? null : timestamp(epochMs);

/**
 * A duration for people: whole microseconds below a millisecond (`850us`), milliseconds below a second (one decimal
 * below ten: `1.5ms`, `15ms`), else seconds to the millisecond (`1.234s`). Trailing zeros are left out.
 */
export function renderSeconds(seconds: number): string {
  const micros = Math.round(seconds * 1e6);
  if (micros < 1000) return `${micros}us`;
  const millis = micros < 9950 ? Math.round(micros / 100) / 10 : Math.round(micros / 1000);
  if (millis < 1000) return `${millis}ms`;
  return `${Math.round(seconds * 1000) / 1000}s`;
}
