/**
 * Ends a test that hangs, and nothing else: no machine is so slow. Tests wait for what they wait for, however long it
 * takes; how fast things are is measured in `test/bench`.
 */
export const HANG_MS = 300_000;

const POLL_MS = 10;

/** Tries until `probe` gives something but null, undefined or false; fails with the last error. */
export async function eventually<T>(
  what: string,
  probe: () => T | null | undefined | false | Promise<T | null | undefined | false>,
): Promise<T> {
  const deadline = performance.now() + HANG_MS;
  let last: unknown = null;
  while (performance.now() < deadline) {
    try {
      const value = await probe();
      if (value !== null && value !== undefined && value !== false) return value;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`not within ${HANG_MS} ms: ${what}`, { cause: last });
}
