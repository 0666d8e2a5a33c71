/**
 * Loaded into daemons by `lag.ts`: on SIGUSR2 writes how late the event loop was since the last time, in milliseconds.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

const RESOLUTION_MS = 1;

if (isMainThread) {
  const lag = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  lag.enable();
  process.on('SIGUSR2', () => {
    // The resolution itself is part of every reading.
    const [p99, max] = [lag.percentile(99), lag.max].map((ns) => ns / 1e6 - RESOLUTION_MS);
    lag.reset();
    writeFileSync(join(process.env.LAG_DIRECTORY, `${process.pid}.json`), JSON.stringify({ p99, max }));
  });
}
