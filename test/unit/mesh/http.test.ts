import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { type Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { Fleet, type Node } from './fleet.ts';

const MEGABYTE = 1_000_000;

/** Two members; `server` answers what comes to the second over the mesh. */
async function serving(handle: Parameters<typeof createServer>[1]): Promise<{
  readonly fleet: Fleet;
  readonly server: Server;
  readonly open: () => Promise<Duplex>;
  readonly there: Node;
}> {
  const fleet = await Fleet.of(2);
  await fleet.form();
  const server = createServer({}, handle);
  const there = fleet.at(1);
  there.recorder.http = (_from, stream) => server.emit('connection', stream);
  const open = async () => {
    const opened = await fleet.at(0).mesh.openHttp(there.mesh.id);
    if (!opened.ok) throw new Error(opened.error.message);
    return opened.value;
  };
  return { fleet, server, open, there };
}

test('a request and its response, 50 MB each way, the same bytes, nothing piled up', async () => {
  const { fleet, open } = await serving((incoming, response) => void pipeline(incoming, response));
  await using _ = fleet;
  let produced = 0;
  let lead = 0;
  let received = 0;
  const sent = createHash('sha256');
  const body = Readable.from(
    (function* () {
      for (let index = 0; index < 1000; index += 1) {
        const chunk = Buffer.alloc(50_000, index);
        produced += chunk.length;
        lead = Math.max(lead, produced - received);
        sent.update(chunk);
        yield chunk;
      }
    })(),
  );
  const stream = await open();
  const outgoing = request({ createConnection: () => stream, method: 'POST', path: '/' });
  const sending = pipeline(body, outgoing);
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  const got = createHash('sha256');
  for await (const chunk of incoming) {
    received += (chunk as Buffer).length;
    got.update(chunk as Buffer);
  }
  await sending;
  assert.equal(received, 50 * MEGABYTE);
  assert.equal(got.digest('hex'), sent.digest('hex'));
  assert.ok(lead < 10 * MEGABYTE, `${lead} bytes were on their way at once`);
});

test('a reader that does not read holds up the writer', async () => {
  let written = 0;
  const { fleet, open } = await serving((_incoming, response) => {
    const chunks = (function* () {
      for (; written < 50 * MEGABYTE; written += 100_000) yield Buffer.alloc(100_000);
    })();
    void pipeline(Readable.from(chunks), response).catch(() => {});
  });
  await using _ = fleet;
  const stream = await open();
  const outgoing = request({ createConnection: () => stream, path: '/' });
  outgoing.end();
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  // Calls there and back: the writer had every chance to run ahead.
  for (let round = 0; round < 20; round += 1) {
    await fleet.at(0).mesh.call(fleet.at(1).mesh.id, { type: 'held' });
  }
  assert.ok(written < 10 * MEGABYTE, `${written} bytes were written to nobody`);
  incoming.destroy();
});

test('each direction ends by itself', async () => {
  await using fleet = await Fleet.of(2);
  await fleet.form();
  const there = fleet.at(1);
  there.recorder.http = async (_from, stream) => {
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    // The request has ended: only now comes the answer.
    stream.end(`got ${Buffer.concat(chunks)}`);
  };
  const opened = await fleet.at(0).mesh.openHttp(there.mesh.id);
  assert.ok(opened.ok);
  opened.value.end('all of it');
  const chunks: Buffer[] = [];
  for await (const chunk of opened.value) chunks.push(chunk as Buffer);
  assert.equal(Buffer.concat(chunks).toString(), 'got all of it');
});

test('a stream to oneself works like any other', async () => {
  await using fleet = await Fleet.of(1);
  const { mesh, recorder } = fleet.at(0);
  recorder.http = (_from, stream) => stream.pipe(stream);
  const opened = await mesh.openHttp(mesh.id);
  assert.ok(opened.ok);
  opened.value.end('there and back');
  const chunks: Buffer[] = [];
  for await (const chunk of opened.value) chunks.push(chunk as Buffer);
  assert.equal(Buffer.concat(chunks).toString(), 'there and back');
});

test('who destroys one end destroys the other', async () => {
  await using fleet = await Fleet.of(2);
  await fleet.form();
  const [here, there] = [fleet.at(0), fleet.at(1)];
  for (const who of ['here', 'there'] as const) {
    const arrived = Promise.withResolvers<Duplex>();
    there.recorder.http = (_from, stream) => arrived.resolve(stream);
    const opened = await here.mesh.openHttp(there.mesh.id);
    assert.ok(opened.ok);
    opened.value.write('begin');
    const ends = { here: opened.value, there: await arrived.promise };
    ends.there.resume();
    const other = who === 'here' ? ends.there : ends.here;
    const closed = new Promise((resolve) => other.once('close', resolve));
    ends[who].destroy();
    await closed;
    assert.equal(other.destroyed, true, who);
  }
});

test('a member that stops ends the streams that are open to it', async () => {
  await using fleet = await Fleet.of(2);
  await fleet.form();
  const there = fleet.at(1);
  there.recorder.http = () => {};
  const opened = await fleet.at(0).mesh.openHttp(there.mesh.id);
  assert.ok(opened.ok);
  const closed = new Promise((resolve) => opened.value.once('close', resolve));
  opened.value.resume();
  await there.mesh.stop();
  await closed;
});
