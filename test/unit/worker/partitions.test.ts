/** The worker between its launcher and whatever holds the ways. */
import assert from 'node:assert/strict';
import { readlinkSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { Lease, PartitionsView, Standing } from '../../../node/llc/partitions/types.ts';
import { UnenforcedPartitions } from '../../../node/llc/partitions/unenforced.ts';
import type { CacheUse } from '../../../protocols/schema/run.ts';
import { freeWaysOf } from '../llc/partitions-rig.ts';
import { LaunchBench } from './launch-bench.ts';

const USE: CacheUse = {
  samples: 2,
  occupancyBytes: null,
  bandwidthBytesPerSecond: { last: 1, peak: 3, mean: 2 },
  localBandwidthBytesPerSecond: null,
};

/** Notes what is asked of it and holds nothing. */
class NotedPartitions extends UnenforcedPartitions {
  readonly calls: string[] = [];
  failure: Error | null = null;

  constructor() {
    super({ reason: 'noted' }, { topology: { domains: [{ id: 0, cpus: [], ways: 64, wayBytes: 1 }] } });
  }

  override view(): PartitionsView {
    return { ...super.view(), state: 'holding' };
  }

  override async enter(lease: Lease, pid: number): Promise<Standing> {
    // What has begun to be the program is no longer the shell of the latch.
    this.calls.push(`enter ${lease.runId} ${/(dash|sh)$/.test(readlinkSync(`/proc/${pid}/exe`))}`);
    if (this.failure !== null) throw this.failure;
    return { enforcement: lease.enforcement, reason: lease.reason };
  }

  override async observe(): Promise<CacheUse> {
    this.calls.push('observe');
    return USE;
  }

  override async release(lease: Lease): Promise<void> {
    this.calls.push(`release ${lease.runId}`);
    return super.release(lease);
  }
}

describe('a run in its partition', () => {
  test('enters before its program starts, is recorded as it was held, and gives the ways back', async () => {
    const partitions = new NotedPartitions();
    await using bench = await LaunchBench.create({ partitions });
    const report = await bench.run('console.log(process.pid)', { domain: 0 });
    assert.deepEqual(partitions.calls, [`enter ${report.runId} true`, 'observe', `release ${report.runId}`]);
    assert.deepEqual(report.result?.cacheUse, USE);
    assert.equal(report.stdout, `${report.result?.pid}\n`);
    assert.deepEqual([report.result?.enforcement, report.result?.enforcementReason], ['unenforced', 'noted']);
    assert.equal(freeWaysOf(partitions, 0), 64);
  });

  test('fails with a sentence when its process can not be put in, and gives the ways back', async () => {
    const partitions = new NotedPartitions();
    partitions.failure = new Error('the group has vanished');
    await using bench = await LaunchBench.create({ partitions });
    const report = await bench.run('console.log(1)', { domain: 0 });
    assert.equal(report.state, 'failed');
    assert.match(report.error ?? '', /the group has vanished/);
    assert.equal(freeWaysOf(partitions, 0), 64);
  });
});
