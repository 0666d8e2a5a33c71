/**
 * How long `GET /healthz` takes on each of three daemons while a stranger or a member attacks them (`test/hostile`):
 *
 *     npm run bench:hostile [-- --seconds 5]
 *
 * Each attack is made again and again for so long. The attacker is this process, on the same machine, so it takes its
 * share of the CPUs; another thread asks, so that the attacker's own work isn't counted.
 */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { ATTACKS, type Attack, type Battlefield } from '../hostile/attacks.ts';
import { assertWell, prepare } from '../hostile/battlefield.ts';
import { AS_SHIPPED } from '../support/daemon-process.ts';
import { quantile } from './statistics.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '5' } } });
const ASK_EVERY_MS = 20;
const QUIET: Attack = {
  name: 'nothing',
  run: () => new Promise((resolve) => setTimeout(resolve, 100)),
};

async function startProbe({ nodes }: Battlefield): Promise<Worker> {
  const targets = await Promise.all(
    nodes.map(async ({ rest, apiTokenFile }) => ({
      url: `${rest}/healthz`,
      token: (await readFile(apiTokenFile, 'utf8')).trim(),
    })),
  );
  const workerData = { targets, everyMs: ASK_EVERY_MS };
  return new Worker(new URL('./health-probe.mjs', import.meta.url), { workerData });
}

/** What the probe has measured since it was last asked. */
async function readings(probe: Worker): Promise<number[]> {
  probe.postMessage('what did you see?');
  const [tookMs] = await once(probe, 'message');
  return tookMs;
}

async function measure({ name, run }: Attack, field: Battlefield, probe: Worker): Promise<void> {
  await readings(probe);
  const end = performance.now() + Number(values.seconds) * 1000;
  while (performance.now() < end) await run(field);
  const tookMs = await readings(probe);
  const cells = [0.5, 0.99, 1].map((share) => quantile(tookMs, share).toFixed(1).padStart(9));
  console.log(`${name.padEnd(70)} ${cells.join(' ')} ms  n=${tookMs.length}`);
  await assertWell(field);
}

await using stack = new AsyncDisposableStack();
const field = await prepare(stack, AS_SHIPPED);
const probe = await startProbe(field);
stack.defer(async () => {
  await probe.terminate();
});
console.log(
  `${'GET /healthz during'.padEnd(70)} ${['median', 'p99', 'max'].map((name) => name.padStart(9)).join(' ')}`,
);
for (const attack of [QUIET, ...ATTACKS]) await measure(attack, field, probe);
