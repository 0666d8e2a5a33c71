/** Ctrl-C while a command waits for a run: the run goes on, and the person is told which it is and how to end it. */
import { EXIT } from './exit-codes.ts';
import { note } from './output.ts';
import { onInterrupt } from './signals.ts';

/** The person wants to be gone. */
const LOOK_UP_MS = 2_000;

/** @param findRun the id of the run, or null where it isn't known */
export async function untilInterrupted<T>(
  work: Promise<T>,
  findRun: () => Promise<string | null>,
): Promise<T> {
  const forget = onInterrupt((signal) => {
    void leave(findRun, signal === 'SIGTERM' ? EXIT.TERMINATED : EXIT.INTERRUPTED);
  });
  try {
    return await work;
  } finally {
    forget();
  }
}

async function leave(findRun: () => Promise<string | null>, exitCode: number): Promise<never> {
  const late = new Promise<null>((resolve) => setTimeout(resolve, LOOK_UP_MS, null));
  const id = await Promise.race([findRun().catch(() => null), late]);
  note(
    id === null
      ? 'fsched: interrupted. The run goes on if the node had taken it: "fsched runs" lists it, "fsched cancel RUN" ends it.'
      : `fsched: interrupted. Run ${id} goes on: "fsched logs ${id}" follows it, "fsched cancel ${id}" ends it.`,
  );
  process.exit(exitCode);
}
