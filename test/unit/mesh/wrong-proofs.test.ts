import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WrongProofs } from '../../../node/mesh/wrong-proofs.ts';
import { PROOF_LIMIT_MS } from '../../../protocols/join/index.ts';
import { FakeClock, settled } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';

function setUp() {
  const clock = new FakeClock();
  const lines: [string, Record<string, unknown>][] = [];
  const warn = (fields: object, message: string) => lines.push([message, fields as Record<string, unknown>]);
  const wrong = new WrongProofs({ clock, logger: { ...silentLogger, warn } });
  /** How long the sender waits for its verdict. */
  const wait = async (source: string, peer = 'p'): Promise<number> => {
    const begun = clock.monotonicMs();
    let over: number | null = null;
    void wrong.record(peer, source).then(() => {
      over = clock.monotonicMs();
    });
    while (over === null) await clock.pass(250);
    return over - begun;
  };
  return { clock, lines, wrong, wait };
}

test('each wrong proof from one source is answered later than the one before, and in time', async () => {
  const { wait } = setUp();
  const waits: number[] = [];
  for (let count = 0; count < 8; count += 1) waits.push(await wait('192.0.2.1', `id ${count}`));
  assert.deepEqual(waits.slice(0, 4), [250, 500, 1000, 2000]);
  assert.ok(
    waits.every((waited) => waited < PROOF_LIMIT_MS),
    `${waits}`,
  );
  assert.equal(await wait('192.0.2.2'), 250, 'others pay nothing for it');
});

test('it is held against a source for five minutes', async () => {
  const { clock, wait } = setUp();
  for (let count = 0; count < 4; count += 1) await wait('192.0.2.1');
  clock.advance(300_000);
  assert.equal(await wait('192.0.2.1'), 250);
});

test('ten thousand wrong proofs are three lines of the log, which tell how many they were', async () => {
  const { clock, lines, wrong } = setUp();
  for (let count = 0; count < 10_000; count += 1) {
    void wrong.record(`id ${count % 500}`, '192.0.2.1');
    if (count === 4_999) clock.advance(10_000);
  }
  clock.advance(10_000);
  await settled();
  assert.deepEqual(lines, [
    ['wrong join token', { peer: 'id 0', address: '192.0.2.1' }],
    ['wrong join tokens', { proofs: 4_999, peers: 500, address: '192.0.2.1', seconds: 10 }],
    ['wrong join tokens', { proofs: 5_000, peers: 500, address: '192.0.2.1', seconds: 10 }],
  ]);
  clock.advance(600_000);
  assert.deepEqual([lines.length, clock.pending()], [3, []]);
});
