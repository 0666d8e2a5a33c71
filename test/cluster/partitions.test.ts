import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { TestCluster } from '../support/daemon-process.ts';
import { eventually } from '../support/eventually.ts';
import { NODE, SLEEPER, SQUARES, UNTIL_WOKEN, wakeUntil } from './programs.ts';

const CLI = join(import.meta.dirname, '../../dist/fsched.js');
const run = promisify(execFile);

test('a node on the emulator carries partitions out, and says that nothing is enforced', async () => {
  await using cluster = await TestCluster.of(1, ['--llc', 'emulated', '--llc-geometry', '8x1MiB']);
  const { first } = cluster;
  await first.upload('sleeper.mjs', SLEEPER, { command: NODE });
  await first.upload('squares.mjs', SQUARES, { command: NODE });
  const [member] = (await first.get('/cluster')).json.members;
  assert.equal(member.enforcement, 'emulated');
  assert.ok(member.free_ways < 8, 'some ways are kept for everything else');

  const sleepers = [1, 2].map(() =>
    first.post('/submit?wait=300', { function_name: 'sleeper', parameters: { input_size: UNTIL_WOKEN } }),
  );
  const ids = await eventually('two runs', async () => {
    const { runs } = (await first.get('/runs?state=running')).json;
    return runs.length === 2 && runs.map((run: { run_id: string }) => run.run_id);
  });
  const drawn = await eventually('two partitions drawn', async () => {
    const told = (await first.get('/cluster')).json.members[0].llc[0];
    const masks = told.runs.map((run: { mask: number }) => run.mask);
    return (
      told.runs.length === 2 &&
      told.runs.every((run: { hold: string }) => run.hold === 'partition') && { told, masks }
    );
  });
  const { told, masks } = drawn;
  assert.equal(masks[0] & masks[1], 0, 'no way is lent twice');
  assert.equal((masks[0] | masks[1]) & told.masks.reserve, 0);
  const { stdout } = await run(process.execPath, [CLI, 'capacity'], { env: first.environment });
  assert.match(stdout, /\[RR[·AB]{6}\]/);
  assert.match(stdout, /A .*: \d ways?/);
  assert.match(stdout, /node-1: emulated, so nothing is held/);
  for (const { json } of await wakeUntil(Promise.all(sleepers), ids)) {
    assert.equal(json.result.stdout, 'started\ndone\n');
    assert.equal(json.result.enforcement, 'unenforced');
    const { occupancy_bytes: filled, bandwidth_bytes_per_second: moved } = json.result.cache_use;
    assert.ok(filled.peak > 0 && filled.peak <= json.result.ways * 1024 ** 2, JSON.stringify(filled));
    assert.ok(filled.mean > 0 && filled.mean <= filled.peak);
    assert.equal(moved, null, 'the emulator has no bandwidth to tell');
    assert.match(json.result.enforcement_reason, /^emulated: with cache allocation it would be enforced/);
  }
  await eventually('all ways back', async () => {
    const [node] = (await first.get('/cluster')).json.members;
    return node.free_ways === member.free_ways;
  });
});

test('resctrl demanded where it can not be had is refused with a sentence', async () => {
  await using cluster = await TestCluster.create(['--llc', 'resctrl', '--llc-geometry', '8x1MiB']);
  await assert.rejects(() => cluster.add(), /--llc resctrl: /);
});

test('a limit of memory bandwidth that can not be had is warned of, and the node starts', async () => {
  await using cluster = await TestCluster.of(1, ['--llc', 'unenforced', '--pool-bandwidth', '30%']);
  assert.match(cluster.first.logs, /the shared pool has no limit of bandwidth: /);
});
