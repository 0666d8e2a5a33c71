/** Standard error as the destination of the daemon's log. */
import { writeSync } from 'node:fs';

const STDERR = 2;

/**
 * What can't be written, as to a file on a full disk, is lost, and its lines are counted: the stream that the logger
 * brings along ends the process over it, or tries for ever. @param write as `writeSync` of standard error
 */
export function makeLogStream(write = (bytes: Uint8Array): number => writeSync(STDERR, bytes)): {
  write(line: string): void;
} {
  let lost = 0;
  const writeAll = (text: string): boolean => {
    let bytes: Uint8Array = Buffer.from(text);
    try {
      while (bytes.length > 0) bytes = bytes.subarray(write(bytes));
      return true;
    } catch {
      return false;
    }
  };
  return {
    write(line) {
      // A line that was cut off half-way ends here, so that the next one is whole.
      const told =
        lost === 0 ? '' : `\n${JSON.stringify({ level: 40, lost, msg: 'lines of this log were lost' })}\n`;
      if (writeAll(told + line)) lost = 0;
      else lost += 1;
    },
  };
}
