/** When places where everybody may write are counted, and what stays known of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedCensus } from '../../../node/worker/shared-usage.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const MIB = 1024 ** 2;
const PEOPLE = [{ uid: 60_800, name: 'a' }];

class Bench {
  readonly clock = new FakeClock();
  readonly free = new Map([
    ['/large', 1000 * MIB],
    ['/small', 1000 * MIB],
  ]);
  readonly counts: string[] = [];
  told = 0;
  isWhole = true;
  readonly census = new SharedCensus(
    { places: ['/large', '/small'], files: 1000, step: { bytes: MIB, files: 100 } },
    {
      clock: this.clock,
      onCounted: () => {
        this.told += 1;
      },
      readSpace: async (path) => ({
        sizeBytes: 2000 * MIB,
        freeBytes: this.free.get(path) ?? 0,
        files: 0,
        freeFiles: 0,
      }),
      measure: async (place, people) => {
        this.counts.push(place);
        const isLarge = place === '/large';
        // Others have filled it.
        if (isLarge) await new Promise<void>((resolve) => this.clock.after(10_000, resolve));
        const isWhole = !isLarge || this.isWhole;
        return new Map(people.map(({ name }) => [name, { bytes: MIB, files: 1, isWhole }]));
      },
    },
  );

  constructor() {
    this.clock.every(250, () => void this.census.look(PEOPLE));
  }
}

test('a place that takes long is waited for by none of the others, and what was counted of it counts', async () => {
  const bench = new Bench();
  bench.isWhole = false;
  await bench.clock.pass(300);
  assert.deepEqual([bench.census.of('a').bytes, bench.told], [MIB, 1]);
  await bench.clock.pass(10_000);
  assert.equal(bench.census.of('a').bytes, 2 * MIB);
  assert.match(bench.census.trouble ?? '', /^what runs keep in \/large is not counted to its end/);
  await bench.census.look([]);
  assert.deepEqual([bench.census.of('a').bytes, bench.census.trouble], [0, null]);
});

test('a place is counted when room goes there, and else now and then', async () => {
  const bench = new Bench();
  const small = () => bench.counts.filter((place) => place === '/small').length;
  await bench.clock.pass(5_000);
  assert.equal(small(), 1);
  bench.free.set('/small', 990 * MIB);
  await bench.clock.pass(300);
  assert.equal(small(), 2);
  await bench.clock.pass(9_000);
  assert.equal(small(), 2);
  await bench.clock.pass(1_500);
  assert.equal(small(), 3);
});
