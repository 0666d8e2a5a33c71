/** Weights over the real mesh: from the one node that has them to all, voters and learners. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../../node/adapters.ts';
import { ModelKeeper } from '../../../node/service/model-keeper.ts';
import { BlobKeeper } from '../../../node/store/blob-keeper.ts';
import { FakeModelHost } from '../../support/fake-model-host.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { Fleet, type Node } from '../mesh/fleet.ts';
import { candidate, tablesWithTask } from '../state/fixtures.ts';

function follow(node: Node, voters: readonly string[]) {
  const { tables, apply } = tablesWithTask();
  const host = new FakeModelHost();
  const shelf = Object.assign(node.shelf, {
    list: async () => [],
    remove: async (sha256: string) => node.shelf.blobs.delete(sha256),
    verify: async (sha256: string) => node.shelf.has(sha256),
  });
  const shared = { tables, shelf, clock: systemClock, logger: silentLogger };
  const files = new BlobKeeper(
    { maxBytes: 1024 ** 2 },
    {
      ...shared,
      self: node.mesh.id,
      mesh: node.mesh,
      configuration: () => ({ voters, learners: [] }),
      caughtUp: () => true,
    },
  );
  const changed: (() => void)[] = [];
  const keeper = new ModelKeeper({
    ...shared,
    keeper: files,
    host,
    onChange: () => {
      for (const resolve of changed.splice(0)) resolve();
    },
  });
  keeper.start();
  const untilVersion = async (version: number): Promise<void> => {
    while (host.version !== version) await new Promise<void>((resolve) => changed.push(resolve));
  };
  return { apply, host, keeper, untilVersion };
}

test('every node comes to hold the version that was committed, and goes back with the others', async () => {
  await using fleet = await Fleet.of(3);
  await fleet.form();
  const voters = [fleet.at(0).mesh.id, fleet.at(1).mesh.id];
  const followers = fleet.nodes.map((node) => follow(node, voters));
  try {
    const weights = new Uint8Array(300_000).map((_, i) => i % 251);
    const sha256 = fleet.at(0).shelf.add(weights);
    const model = candidate({ sha256, size: weights.length });
    for (const { apply } of followers) apply({ type: 'model-put', model });
    await Promise.all(followers.map(({ untilVersion }) => untilVersion(1)));
    for (const [index, { host }] of followers.entries()) {
      assert.equal(host.loaded.length, 1);
      const kept = fleet.at(index).shelf.blobs.get(sha256);
      assert.ok(kept && Buffer.compare(kept, weights) === 0);
    }
    for (const { apply } of followers) apply({ type: 'model-select', version: 0 });
    await Promise.all(followers.map(({ untilVersion }) => untilVersion(0)));
  } finally {
    for (const { keeper } of followers) keeper.stop();
  }
});
