/**
 * What the model costs a daemon: how long a prediction takes, how late the event loop gets while a training runs, and
 * the memory of both. Run: `npm run bench:model`.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { NeuralModel } from '../../predictor/model/neural-model.ts';
import { shippedFamilies } from '../../predictor/model/shipped.ts';
import { printHead, printRow } from './statistics.ts';

const PREDICTIONS = 2000;
const MIB = 1024 * 1024;

const residentMib = (): number => process.memoryUsage().rss / MIB;
const families = await shippedFamilies();
const [{ geometry, curves } = { geometry: { ways: 1, wayBytes: 1 }, curves: [] }] = families;
const [known, asked] = curves;
if (known === undefined || asked === undefined) throw new Error('the shipped curves are missing');

const before = residentMib();
const opening = performance.now();
await using model = await NeuralModel.open();
const openedMs = performance.now() - opening;
const predictMs: number[] = [];
for (let i = 0; i < PREDICTIONS; i++) {
  const at = performance.now();
  model.predict([known], asked.inputSize, geometry);
  predictMs.push(performance.now() - at);
}
const loaded = residentMib();

async function lagOf(
  work: () => Promise<unknown>,
): Promise<{ readonly median: number; readonly p99: number; readonly max: number }> {
  const lag = monitorEventLoopDelay({ resolution: 1 });
  lag.enable();
  await work();
  lag.disable();
  // The resolution itself is part of every reading.
  return {
    median: lag.percentile(50) / 1e6 - 1,
    p99: lag.percentile(99) / 1e6 - 1,
    max: lag.max / 1e6 - 1,
  };
}

const idle = await lagOf(() => sleep(3000));
const tasks = families.slice(0, 8).map(({ name, curves: own }) => ({ taskId: name, curves: own }));
let trainedMs = 0;
let backend = '';
const training = await lagOf(async () => {
  const at = performance.now();
  const outcome = await model.train({ tasks, seed: 1 }, new AbortController().signal);
  trainedMs = performance.now() - at;
  if (!outcome.ok) throw new Error(outcome.error);
  backend = outcome.value.backend;
});
const trained = residentMib();

printHead();
printRow('prediction, warm', 'ms', predictMs.slice(100), 3);
const lagText = ({ median, p99, max }: typeof idle): string =>
  `median ${median.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms, at most ${max.toFixed(1)} ms`;
console.log(
  `opened in ${openedMs.toFixed(1)} ms; first prediction ${(predictMs[0] ?? 0).toFixed(1)} ms; trained by ${backend}`,
);
console.log(
  `memory: ${before.toFixed(0)} MiB before, ${loaded.toFixed(0)} MiB with the model, ${trained.toFixed(0)} MiB after a training`,
);
console.log(`event loop late while idle: ${lagText(idle)}`);
console.log(`event loop late while training (${(trainedMs / 1000).toFixed(1)} s): ${lagText(training)}`);
