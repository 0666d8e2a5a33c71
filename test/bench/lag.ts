/**
 * How late the event loops of three daemons get: the loop also sends heartbeats, and a late heartbeat is an election.
 * For each kind of load the worst of the three nodes. Run: `npm run bench:lag`.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { AS_SHIPPED, TestCluster } from '../support/daemon-process.ts';
import { eventually } from '../support/eventually.ts';

const CLIENTS = 8;
const RUNS = 400;
const UPLOAD_MIB = 200;

const directory = await mkdtemp(join(tmpdir(), 'fsched-lag-'));
process.env.LAG_DIRECTORY = directory;
process.env.NODE_OPTIONS = `--import ${pathToFileURL(join(import.meta.dirname, 'lag-probe.mjs'))}`;
await using cluster = await TestCluster.of(3, AS_SHIPPED);
const master = await cluster.master();

interface Lag {
  readonly p99: number;
  readonly max: number;
}

/** Of one node since it was last asked. */
async function lagOf(pid: number): Promise<Lag> {
  const file = join(directory, `${pid}.json`);
  await rm(file, { force: true });
  process.kill(pid, 'SIGUSR2');
  return eventually('a reading', async () => JSON.parse(await readFile(file, 'utf8')) as Lag);
}

async function measure(what: string, load: () => Promise<unknown>): Promise<void> {
  for (const node of cluster.nodes) await lagOf(node.pid);
  const before = (await master.get('/healthz')).json.term;
  const started = performance.now();
  await load();
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const lags = await Promise.all(cluster.nodes.map((node) => lagOf(node.pid)));
  const [p99, max] = [Math.max(...lags.map((lag) => lag.p99)), Math.max(...lags.map((lag) => lag.max))];
  const elections = (await master.get('/healthz')).json.term - before;
  console.log(
    `${what.padEnd(52)} ${seconds.padStart(6)} s  p99 ${p99.toFixed(1).padStart(6)} ms  at most ${max.toFixed(1).padStart(6)} ms  elections ${elections}`,
  );
}

const task = await master.upload('trivial.sh', 'echo hello\n');
const request = { command: 'sh', task_id: task, input_size: 1 };
await measure('idle', () => sleep(10_000));
await measure('a benchmark', () => master.post('/controller/task/benchmark', request));
await measure(`${RUNS} runs, ${CLIENTS} clients`, async () => {
  let left = RUNS;
  const client = async () => {
    while (left-- > 0) await master.post('/controller/task/run', request);
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
});
await measure(`upload of ${UPLOAD_MIB} MiB`, () =>
  master.upload('large.bin', Buffer.alloc(UPLOAD_MIB * 1024 * 1024, 'fsched')),
);
await measure('1000 lists of runs', async () => {
  for (let i = 0; i < 1000; i += 1) await master.get('/runs?limit=1000');
});
const other = await master.upload('other.sh', 'echo other\n');
await master.post('/controller/task/benchmark', { ...request, task_id: other });
/** What hostile programs leave, or are, while the node ends them: each a script of a shell. */
const HOSTILE = {
  'a run that leaves 60,000 files':
    'i=0; while [ $i -lt 600 ]; do mkdir $i; (cd $i; seq 100 | xargs touch); i=$((i + 1)); done',
  'a run of 300 processes with 1.8 MB of environment each': `
    for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do export LARGE_$i="$(head -c 120000 /dev/zero | tr '\\0' x)"; done
    i=0; while [ $i -lt 300 ]; do sleep 1000 & i=$((i + 1)); done`,
  'a run that writes 4 GiB': 'i=0; while :; do head -c 64M /dev/zero > f$i || exit 1; i=$((i + 1)); done',
};
for (const [what, script] of Object.entries(HOSTILE)) {
  const id = await master.upload('hostile.sh', script);
  await measure(what, async () => {
    const reply = await master.post('/controller/task/benchmark', {
      ...request,
      task_id: id,
      profiler: 'wallclock',
    });
    if (reply.status !== 200) console.log(`  ${reply.json.message}`);
  });
}
await measure('training the model', async () => {
  const begun = await master.post('/predictor/model/train', {});
  if (begun.status !== 202) console.log(`  not begun: ${begun.json.message}`);
  await eventually('the end of the training', async () => {
    const { training } = (await master.get('/predictor/model')).json;
    return training.running === null;
  });
});
await rm(directory, { recursive: true });
