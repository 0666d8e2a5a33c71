/**
 * Ends a test that hangs, and nothing else: no machine is so slow. Tests wait for what they wait for, however long it
 * takes; how fast things are is measured in `test/bench`.
 */
export const HANG_MS = 300_000;
