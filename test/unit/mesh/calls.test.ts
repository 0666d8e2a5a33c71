import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../../node/adapters.ts';
import type { Clock } from '../../../node/ports.ts';
import type { ControlResponse } from '../../../protocols/schema/messages.ts';
import { resultOf } from '../../builders/nouns.ts';
import { Fleet } from './fleet.ts';

const output = (size: number) => ({ bytes: new Uint8Array(size).fill(3), truncated: false });

test('a call is answered by the member that it names, and by this node itself', async () => {
  await using fleet = await Fleet.of(3);
  await fleet.form();
  const [a, b, c] = [fleet.at(0), fleet.at(1), fleet.at(2)];
  for (const { mesh, recorder } of fleet.nodes) {
    recorder.control = async (from) => ({ type: 'refused', code: from, message: mesh.id });
  }
  for (const { mesh } of [a, b, c]) {
    assert.deepEqual(await a.mesh.call(mesh.id, { type: 'held' }), {
      ok: true,
      value: { type: 'refused', code: a.mesh.id, message: mesh.id },
    });
  }
});

test('requests and answers of some megabytes arrive whole; one over the limit is refused here', async () => {
  await using fleet = await Fleet.of(2);
  await fleet.form();
  const [a, b] = [fleet.at(0), fleet.at(1)];
  b.recorder.control = async (_from, request) => ({
    type: 'output',
    bytes:
      request.type === 'report'
        ? (request.report.result?.stdout.bytes ?? new Uint8Array())
        : new Uint8Array(),
    ended: true,
  });
  const report = (size: number) =>
    ({
      type: 'report',
      report: {
        runId: 'r',
        attempt: 1,
        term: 1,
        state: 'succeeded',
        error: null,
        atMs: 1,
        result: { ...resultOf(), stdout: output(size), stderr: output(size) },
      },
    }) as const;
  const answered = await a.mesh.call(b.mesh.id, report(3_000_000));
  assert.ok(answered.ok && answered.value.type === 'output');
  assert.deepEqual(Buffer.from(answered.value.bytes), Buffer.alloc(3_000_000, 3));
  const refused = await a.mesh.call(b.mesh.id, report(4_000_000));
  assert.equal(refused.ok ? '' : refused.error.code, 'PROTOCOL');
});

test('a call that is not answered in time is given up', async () => {
  await using fleet = await Fleet.of(2);
  await fleet.form();
  const [a, b] = [fleet.at(0), fleet.at(1)];
  const never = Promise.withResolvers<ControlResponse>();
  b.recorder.control = () => never.promise;
  const called = await a.mesh.call(b.mesh.id, { type: 'held' }, { timeoutMs: 50 });
  assert.equal(called.ok ? '' : called.error.code, 'TIMEOUT');
  const controller = new AbortController();
  const aborted = a.mesh.call(b.mesh.id, { type: 'held' }, { signal: controller.signal });
  controller.abort();
  assert.equal((await aborted).ok, false);
  never.resolve({ type: 'ok' });
});

test('a call fails at once to who is unknown or away, when the handler throws, and after stop', async () => {
  await using fleet = await Fleet.of(2);
  const [a, b] = [fleet.at(0), fleet.at(1)];
  const code = async () => {
    const called = await a.mesh.call(b.mesh.id, { type: 'held' });
    return called.ok ? 'OK' : called.error.code;
  };
  assert.equal(await code(), 'UNREACHABLE');
  await fleet.form();
  b.recorder.control = () => Promise.reject(new Error('a fault of the handler'));
  assert.equal(await code(), 'REFUSED');
  await b.mesh.stop();
  await a.recorder.until(() => !a.recorder.isConnected(b.mesh.id));
  assert.equal(await code(), 'UNREACHABLE');
  await a.mesh.stop();
  assert.equal(await code(), 'STOPPED');
});

test('six hundred calls at a time to one member are all answered or refused', async () => {
  // A machine that has much else to do opens six hundred streams in more than the five seconds that one is given.
  const clock: Clock = { ...systemClock, after: (ms, task) => systemClock.after(20 * ms, task) };
  await using fleet = await Fleet.of(2, { clock });
  await fleet.form();
  const [a, b] = [fleet.at(0), fleet.at(1)];
  const calls = Array.from({ length: 600 }, () =>
    a.mesh.call(b.mesh.id, { type: 'held' }, { timeoutMs: 20_000 }),
  );
  const codes = (await Promise.all(calls)).map((called) => (called.ok ? 'OK' : called.error.code));
  assert.ok(codes.filter((code) => code === 'OK').length >= 500, JSON.stringify([...new Set(codes)]));
});

test('consensus frames of all sizes arrive whole and in order, next to a blob', async () => {
  await using fleet = await Fleet.of(2);
  await fleet.form();
  const [a, b] = [fleet.at(0), fleet.at(1)];
  const sizes = [0, 1, 100, 70_000, 4 * 1024 * 1024, 3, 300_000, 1_000_000, 0, 5];
  const sha256 = a.shelf.add(new Uint8Array(16 * 1024 * 1024));
  const pushed = a.mesh.pushBlob(b.mesh.id, sha256);
  sizes.forEach((size, index) => {
    a.mesh.sendRaftFrame(b.mesh.id, new Uint8Array(size).fill(index));
  });
  await b.recorder.until(() => b.recorder.frames.length === sizes.length);
  b.recorder.frames.forEach(({ from, frame }, index) => {
    assert.equal(from, a.mesh.id);
    assert.equal(Buffer.compare(frame, Buffer.alloc(sizes[index] ?? 0, index)), 0, `frame ${index}`);
  });
  assert.equal((await pushed).ok, true);
});

test('the queue to one member is bounded: the newest frames are dropped, the others keep their order', async () => {
  await using fleet = await Fleet.of(2);
  await fleet.form();
  const [a, b] = [fleet.at(0), fleet.at(1)];
  const mebibyte = 1024 * 1024;
  // All in one turn of the event loop: nothing is taken meanwhile.
  for (let index = 0; index < 64; index += 1) {
    a.mesh.sendRaftFrame(b.mesh.id, new Uint8Array(mebibyte).fill(index));
  }
  b.recorder.frame = (from, frame) => b.recorder.frames.push({ from, frame: frame.slice(0, 1) });
  await b.recorder.until(() => b.recorder.frames.length >= 7);
  // One more, when there is room again, arrives behind them.
  const marker = () => b.recorder.frames.some(({ frame }) => frame[0] === 99);
  a.mesh.sendRaftFrame(b.mesh.id, new Uint8Array(10).fill(99));
  await b.recorder.until(marker);
  const seen = b.recorder.frames.map(({ frame }) => frame[0] ?? -1);
  assert.ok(seen.length < 30, `${seen.length} frames got through`);
  assert.deepEqual(
    seen,
    [...seen].sort((x, y) => x - y),
  );
});

test('frames to nobody, to strangers and after stop are dropped in silence', async () => {
  await using fleet = await Fleet.of(1);
  const { mesh } = fleet.at(0);
  mesh.sendRaftFrame('nobody', new Uint8Array(1));
  mesh.sendRaftFrame(mesh.id, new Uint8Array(1));
  await mesh.stop();
  mesh.sendRaftFrame('nobody', new Uint8Array(1));
});
