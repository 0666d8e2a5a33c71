/** A line of progress, rewritten in place. */
import type { Point } from './measure-point.ts';

interface ProgressOptions {
  /** Points. */
  readonly total: number;
}

interface ProgressDependencies {
  readonly write: (text: string) => void;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
}

/** The remaining time is told by what the points so far took; those from the cache took none. */
export function progressLine({ total }: ProgressOptions, { write, now }: ProgressDependencies) {
  const start = now();
  let done = 0;
  let measured = 0;
  return (point: Point, from: 'cache' | 'valgrind'): void => {
    done += 1;
    if (from === 'valgrind') measured += 1;
    if (done < total && (from === 'cache' || measured % 10 !== 0)) return;
    const elapsedSeconds = (now() - start) / 1000;
    const left = measured === 0 ? 0 : (elapsedSeconds / measured) * (total - done);
    const name = `${point.program.name} ${point.inputSize}`;
    write(`\r\x1b[K${done}/${total} points, ${duration(elapsedSeconds)}, ${duration(left)} left: ${name}`);
    if (done === total) write('\n');
  };
}

function duration(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${String(Math.floor(seconds % 60)).padStart(2, '0')} min`;
}
