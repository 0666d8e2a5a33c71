import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Stream } from '@libp2p/interface';
import { ByteBudget } from '../../../protocols/wire/budget.ts';
import { StreamReader } from '../../../protocols/wire/reader.ts';

class FakeStream extends EventTarget {
  status = 'open';
  readStatus = 'readable';
  remoteWriteStatus = 'writable';
  readBufferLength = 0;
  say(data: Uint8Array): void {
    this.dispatchEvent(Object.assign(new Event('message'), { data }));
  }
  pause(): void {}
  resume(): void {}
  abort(error: Error): void {
    this.status = 'aborted';
    this.dispatchEvent(Object.assign(new Event('close'), { error }));
  }
}

/** A frame that says 8 MiB, and never ends. */
const half = Buffer.concat([Uint8Array.of(0x80, 0x80, 0x80, 0x04), new Uint8Array(1024 * 1024)]);

test('frames that never end are held up to a bound over all streams, and what is over it loses its stream', async () => {
  const budget = new ByteBudget(10 * half.length);
  const streams = Array.from({ length: 50 }, () => new FakeStream());
  const frames = streams.map((stream) =>
    new StreamReader(stream as unknown as Stream, budget).frame(8 * 1024 ** 2).catch((error) => error.code),
  );
  for (const stream of streams) stream.say(half);
  assert.equal(streams.filter(({ status }) => status === 'open').length, 10);
  assert.equal(budget.held, 10 * half.length);
  for (const stream of streams) if (stream.status === 'open') stream.abort(new Error('given up'));
  assert.equal((await Promise.all(frames)).filter((code) => code === 'TOO_LARGE').length, 40);
  assert.equal(budget.held, 0, 'a stream that ends gives back what it held');
});

test('what is read is given back', async () => {
  const budget = new ByteBudget(100);
  const stream = new FakeStream();
  const reader = new StreamReader(stream as unknown as Stream, budget);
  for (let round = 0; round < 20; round += 1) {
    const frame = reader.frame(50);
    stream.say(Uint8Array.of(50, ...new Uint8Array(50)));
    assert.equal((await frame)?.length, 50);
  }
  assert.equal(budget.held, 0);
});
