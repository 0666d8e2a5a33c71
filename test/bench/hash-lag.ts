/**
 * How long the event loop is held up while a large blob is stored and hashed. Run: `node --import tsx
 * test/bench/hash-lag.ts [MIB]`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { systemClock, systemRandom } from '../../node/adapters.ts';
import { BlobStore } from '../../node/store/blob-store.ts';
import { silentLogger } from '../support/silent-logger.ts';

const mebibytes = Number(process.argv[2] ?? 1024);
const directory = await mkdtemp(join(tmpdir(), 'fsched-bench-'));
const store = new BlobStore(
  { directory },
  { clock: systemClock, random: systemRandom, logger: silentLogger },
);
await store.start();

async function* content(): AsyncGenerator<Uint8Array> {
  const block = Buffer.alloc(1024 * 1024, 'fsched');
  for (let index = 0; index < mebibytes; index++) yield block;
}

async function measure(name: string, task: () => Promise<void>): Promise<void> {
  const lag = monitorEventLoopDelay({ resolution: 1 });
  lag.enable();
  const before = performance.now();
  await task();
  lag.disable();
  const seconds = ((performance.now() - before) / 1000).toFixed(2);
  const [p50, p99, max] = [lag.percentile(50), lag.percentile(99), lag.max].map((ns) =>
    (ns / 1e6).toFixed(1),
  );
  console.log(`${name}: ${seconds} s; timer of 1 ms late by p50 ${p50}, p99 ${p99}, at most ${max} ms`);
}

let sha256 = '';
await measure(`store ${mebibytes} MiB`, async () => {
  const outcome = await store.ingest(content(), Number.MAX_SAFE_INTEGER);
  if (!outcome.ok) throw new Error(outcome.error.message);
  sha256 = outcome.value.sha256;
});
await measure(`hash ${mebibytes} MiB`, async () => {
  if (!(await store.verify(sha256))) throw new Error('the blob is damaged');
});
await store.stop();
await rm(directory, { recursive: true });
