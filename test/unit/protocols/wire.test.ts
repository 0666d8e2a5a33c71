import assert from 'node:assert/strict';
import { test } from 'node:test';
import { streamPair } from '@libp2p/utils';
import fc from 'fast-check';
import { systemClock } from '../../../node/adapters.ts';
import { IdleLimit, within } from '../../../protocols/wire/deadline.ts';
import type { WireError } from '../../../protocols/wire/error.ts';
import { StreamReader } from '../../../protocols/wire/reader.ts';
import { finishWriting, frame, write, writeAll, writeFrame } from '../../../protocols/wire/writer.ts';
import { FakeClock } from '../../support/fake-clock.ts';

test('a frame has its length before it in the fewest bytes, whatever it is made of', () => {
  const prefix = (...lengths: number[]) => {
    const parts = lengths.map((length) => new Uint8Array(length));
    const bytes = frame(...parts);
    return [...bytes.subarray(0, bytes.length - lengths.reduce((sum, length) => sum + length, 0))];
  };
  assert.deepEqual(prefix(0), [0]);
  assert.deepEqual(prefix(1, 126), [127]);
  assert.deepEqual(prefix(128), [0x80, 1]);
  assert.deepEqual(prefix(300), [0xac, 2]);
  assert.deepEqual(prefix(1, 2 ** 21 - 1), [0x80, 0x80, 0x80, 1]);
});

test('a length of more than five bytes is malformed', async () => {
  const [near, far] = await streamPair();
  await write(near, Uint8Array.from([255, 255, 255, 255, 255, 1]));
  await assert.rejects(new StreamReader(far).frame(10), { code: 'MALFORMED' });
});

test('frames come out as they went in, however the bytes were cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 8 }),
      async (frames, cuts) => {
        const [near, far] = await streamPair();
        const reader = new StreamReader(far);
        const bytes = Buffer.concat(frames.map((each) => frame(each)));
        const sending = (async () => {
          for (let at = 0, index = 0; at < bytes.length; index += 1) {
            const size = cuts[index % cuts.length] ?? 1;
            await write(near, bytes.subarray(at, at + size));
            at += size;
          }
          await finishWriting(near);
        })();
        for (const each of frames) {
          assert.deepEqual(Buffer.from((await reader.frame(400)) ?? 'none'), Buffer.from(each));
        }
        assert.equal(await reader.frame(400), null);
        await sending;
      },
    ),
    { numRuns: 30 },
  );
});

test('a frame over the limit, or cut short, is told apart from the end', async () => {
  const [near, far] = await streamPair();
  await writeFrame(near, new Uint8Array(11));
  await assert.rejects(new StreamReader(far).frame(10), { code: 'TOO_LARGE' });
  const [left, right] = await streamPair();
  await write(left, Uint8Array.from([5, 1, 2]));
  await finishWriting(left);
  await assert.rejects(new StreamReader(right).frame(10), { code: 'TRUNCATED' });
});

test('a reader that is not read takes a bounded number of bytes, and all of them in the end', async () => {
  const [near, far] = await streamPair({ capacity: 5, delay: 0 });
  const reader = new StreamReader(far);
  let held = 0;
  reader.onBytes = (count) => {
    held += count;
  };
  const total = 4 * 1024 * 1024;
  const sending = writeAll(
    near,
    (async function* () {
      for (let at = 0; at < total; at += 32 * 1024) yield new Uint8Array(32 * 1024);
    })(),
  ).then(() => finishWriting(near));
  sending.catch(() => {});
  await reader.exactly(1);
  for (let round = 0; round < 50; round += 1) await new Promise(setImmediate);
  assert.ok(held < 1024 * 1024, `${held} bytes were taken`);
  let got = 1;
  for (let chunk = await reader.chunk(); chunk !== null; chunk = await reader.chunk()) got += chunk.length;
  assert.equal(got, total);
  await sending;
});

test('a reset and a lost connection are errors, not ends', async () => {
  const [near, far] = await streamPair();
  const reading = new StreamReader(far).chunk();
  near.abort(new Error('no more'));
  await assert.rejects(reading, (error: WireError) => error.code === 'RESET' || error.code === 'CLOSED');
});

test('a talk that takes too long, or whose caller gives up, throws its stream away', async () => {
  const clock = new FakeClock(1000);
  const [near] = await streamPair();
  const talk = within(near, 100, clock, () => new Promise<never>(() => {}));
  clock.advance(100);
  await assert.rejects(talk, { code: 'TIMEOUT' });
  assert.equal(near.status, 'aborted');

  const [other] = await streamPair();
  const controller = new AbortController();
  const given = within(other, 100, clock, () => new Promise<never>(() => {}), controller.signal);
  controller.abort();
  await assert.rejects(given, { code: 'ABORTED' });
  assert.deepEqual(clock.pending(), []);

  const [third] = await streamPair();
  assert.equal(await within(third, 100, systemClock, async () => 7), 7);
  assert.equal(third.status, 'open');
});

test('an idle limit ends what stands still and nothing else', async () => {
  const clock = new FakeClock(1000);
  const [near] = await streamPair();
  const limit = new IdleLimit(near, 100, clock);
  for (let round = 0; round < 5; round += 1) {
    clock.advance(60);
    limit.touch();
  }
  assert.equal(near.status, 'open');
  clock.advance(200);
  assert.equal(near.status, 'aborted');
  limit.stop();
  assert.deepEqual(clock.pending(), []);
});
