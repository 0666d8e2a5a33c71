/**
 * Ends a test that hangs, and nothing else: no machine is so slow. Tests wait for what they wait for, however long it
 * takes; how fast things are is measured in `test/bench`.
 */
export const HANG_MS = 300_000;

const POLL_MS = 10;
/** What is looked at computes for each look, and shall get on with what is waited for. */
const LOOK_SHARE = 0.2;

/** Tries until `probe` gives something but null, undefined or false; fails with the last error. */
export async function eventually<T>(
  what: string,
  probe: () => T | null | undefined | false | Promise<T | null | undefined | false>,
): Promise<T> {
  const deadline = performance.now() + HANG_MS;
  let last: unknown = null;
  while (performance.now() < deadline) {
    const began = performance.now();
    try {
      const value = await probe();
      if (value !== null && value !== undefined && value !== false) return value;
    } catch (error) {
      last = error;
    }
    const pause = Math.max(POLL_MS, (performance.now() - began) / LOOK_SHARE);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  throw new Error(`not within ${HANG_MS} ms: ${what}`, { cause: last });
}
