/** A thread of `hostile.ts`: asks daemons how they are, over and over, and tells how long each answer took. */
import { setTimeout } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';

const { targets, everyMs } = workerData;
let tookMs = [];
parentPort.on('message', () => {
  parentPort.postMessage(tookMs);
  tookMs = [];
});
for (const { url, token } of targets) void ask(url, { authorization: `Bearer ${token}` });

async function ask(url, headers) {
  for (;;) {
    const begun = performance.now();
    const reply = await fetch(url, { headers });
    await reply.text();
    if (!reply.ok) throw new Error(`${url} answered ${reply.status}`);
    tookMs.push(performance.now() - begun);
    await setTimeout(everyMs);
  }
}
