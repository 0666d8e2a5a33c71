/** Nothing leaks in ten thousand runs: no group, class of service, monitoring id, way, thread or account. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Lease } from '../../../node/llc/partitions/types.ts';
import { freeWaysOf, Rig } from './partitions-rig.ts';

const RUNS = 10_000;

test(`${RUNS} runs of all kinds leave the machine as it was`, async () => {
  await using rig = new Rig({ machine: { closids: 6, rmids: 10 }, limboMs: 40 });
  const before = await Promise.all(['schemata', 'info/L3/bit_usage'].map((path) => rig.fs.read(path)));
  // The kernel as it is: `watched` would look at all of it after each write.
  const node = await rig.node('node-a', rig.fs);
  const held: { readonly lease: Lease; readonly pid: number }[] = [];
  const seen = new Map<string, number>();
  const end = async (index: number): Promise<void> => {
    const [over] = held.splice(index, 1);
    if (over === undefined) return;
    rig.processes.exit(over.pid);
    seen.set(over.lease.recorded.enforcement, (seen.get(over.lease.recorded.enforcement) ?? 0) + 1);
    await node.release(over.lease);
  };
  for (let run = 0, taken = 0; taken < RUNS; run++) {
    const sensitive = run % 5 !== 0;
    const request = {
      runId: `r${run}`,
      attempt: 1,
      domain: run % 3 === 0 ? 8 : 0,
      ways: 1 + (run % 4),
      sensitive,
    };
    const answer = await rig.drive(node.acquire(request));
    if (answer.ok) {
      const pid = rig.processes.fork();
      await node.enter(answer.value, pid);
      held.push({ lease: answer.value, pid });
      taken++;
    }
    // A group vanishes, a daemon of another program comes and goes, time passes.
    if (run % 997 === 0) await rig.fs.rmdir((await rig.groups())[0] ?? '').catch(() => {});
    if (run % 211 === 0) await rig.fs.mkdir('theirs').catch(() => {});
    if (run % 211 === 7) await rig.fs.rmdir('theirs').catch(() => {});
    if (run % 50 === 0) await node.maintain();
    rig.clock.advance(10);
    while (held.length > run % 6) await end((run * 7) % held.length);
  }
  while (held.length > 0) await end(0);
  await node.maintain();
  await rig.fs.rmdir('theirs').catch(() => {});
  for (const kind of ['enforced', 'shared', 'unenforced'])
    assert.ok((seen.get(kind) ?? 0) > 10, `${kind}: ${JSON.stringify([...seen])}`);

  assert.deepEqual(await rig.groups(), []);
  assert.deepEqual([freeWaysOf(node, 0), freeWaysOf(node, 8)], [10, 10]);
  for (const { masks, leases } of node.view().domains) assert.deepEqual([masks.pool, leases], [0, []]);
  assert.equal(await rig.fs.read('tasks'), '1\n', 'only init is left, in the root group');
  assert.deepEqual(
    await Promise.all(['schemata', 'info/L3/bit_usage'].map((path) => rig.fs.read(path))),
    before,
  );
  assert.equal(await rig.note.load(), null);
  // Every class and every monitoring id can be had again.
  rig.fs.cleanLimbo();
  for (let group = 1; group < 6; group++) await rig.fs.mkdir(`g${group}`);
  for (let monitor = 6; monitor < 10; monitor++) await rig.fs.mkdir(`mon_groups/m${monitor}`);
  assert.equal(rig.clock.pending().length, 1, 'the timer of the manager');
});
