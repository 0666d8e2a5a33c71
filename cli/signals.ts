/**
 * Ctrl-C and friends. One key press can arrive more than once: the terminal tells the whole process group, and
 * npm and our launcher pass on what they were told. Signals within `SAME_PRESS_MS` are therefore one.
 */
import { EXIT, type ExitCode } from './exit-codes.ts';
import { note } from './output.ts';

const SAME_PRESS_MS = 400;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Whoever interrupts wants to be gone. */
const LOOK_UP_MS = 2_000;

const exitCodeOf = (signal: NodeJS.Signals): ExitCode =>
  signal === 'SIGTERM' ? EXIT.TERMINATED : EXIT.INTERRUPTED;

/** Calls `first` at the first signal; the second ends the process at once. Returns what takes the handlers away. */
export function onInterrupt(
  first: (signal: NodeJS.Signals) => void,
  signals: readonly NodeJS.Signals[] = SIGNALS,
): () => void {
  let firstAtMs: number | null = null;
  const listener = (signal: NodeJS.Signals) => {
    const nowMs = performance.now();
    if (firstAtMs === null) {
      firstAtMs = nowMs;
      first(signal);
    } else if (nowMs - firstAtMs > SAME_PRESS_MS) {
      process.exit(exitCodeOf(signal));
    }
  };
  for (const signal of signals) process.on(signal, listener);
  return () => {
    for (const signal of signals) process.removeListener(signal, listener);
  };
}

/**
 * Waits for what a run gives. An interrupt leaves the run as it is, and the person is told which it is and how to end
 * it.
 * @param findRun the id of the run, or null where it isn't known
 */
export async function untilInterrupted<T>(
  work: Promise<T>,
  findRun: () => Promise<string | null>,
): Promise<T> {
  const forget = onInterrupt(async (signal) => {
    const late = new Promise<null>((resolve) => setTimeout(resolve, LOOK_UP_MS, null));
    const id = await Promise.race([findRun().catch(() => null), late]);
    note(
      id === null
        ? 'interrupted; the run goes on if the node had taken it: "fsched runs" lists it, "fsched cancel RUN" ends it'
        : `interrupted; run ${id} goes on: "fsched logs ${id}" follows it, "fsched cancel ${id}" ends it`,
    );
    process.exit(exitCodeOf(signal));
  });
  return work.finally(forget);
}
