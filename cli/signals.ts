/**
 * Ctrl-C and friends. One key press can arrive more than once: the terminal tells the whole process group, and
 * npm and our launcher pass on what they were told. Signals within `SAME_PRESS_MS` are therefore one.
 */
import { EXIT } from './exit-codes.ts';

const SAME_PRESS_MS = 400;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Calls `first` at the first signal; the second ends the process at once. Returns what takes the handlers away. */
export function onInterrupt(first: (signal: NodeJS.Signals) => void): () => void {
  let firstAtMs: number | null = null;
  const listener = (signal: NodeJS.Signals) => {
    const nowMs = performance.now();
    if (firstAtMs === null) {
      firstAtMs = nowMs;
      first(signal);
    } else if (nowMs - firstAtMs > SAME_PRESS_MS) {
      process.exit(signal === 'SIGTERM' ? EXIT.TERMINATED : EXIT.INTERRUPTED);
    }
  };
  for (const signal of SIGNALS) process.on(signal, listener);
  return () => {
    for (const signal of SIGNALS) process.removeListener(signal, listener);
  };
}
