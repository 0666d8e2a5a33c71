import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { endianness, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SocketOwners } from '../../../node/socket-owners.ts';

const HEAD =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
const LOCAL = endianness() === 'LE' ? '0100007F' : '7F000001';
const US = { address: '127.0.0.1', port: 8200 };
const THEM = { address: '127.0.0.1', port: 40_000 };
const OURS = `${LOCAL}:2008`;
const THEIRS = `${LOCAL}:9C40`;

const row = (local: string, remote: string, { state = '01', uid = 1234, inode = 777 } = {}) =>
  `   7: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000  ${uid}        0 ${inode} 1 0000000000000000 20 4 30 10 -1\n`;

async function ownerIn(rows: readonly string[], rows6: readonly string[] = []): Promise<number | null> {
  const folder = await mkdtemp(join(tmpdir(), 'fsched-sockets-'));
  const tables = { ipv4: join(folder, 'tcp'), ipv6: join(folder, 'tcp6') };
  await writeFile(tables.ipv4, HEAD + rows.join(''));
  await writeFile(tables.ipv6, HEAD + rows6.join(''));
  try {
    return await new SocketOwners(tables).ownerOf(US, THEM);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('the owner is that of the other end, not of ours', async () => {
  assert.equal(await ownerIn([row(OURS, THEIRS, { uid: 0 }), row(THEIRS, OURS)]), 1234);
  assert.equal(await ownerIn([row(OURS, THEIRS, { uid: 0 })]), null);
});

test('a socket without a process is nobody, though the kernel calls it root', async () => {
  // FIN_WAIT1, FIN_WAIT2, TIME_WAIT, LAST_ACK; and established while nobody has it any more.
  for (const state of ['04', '05', '06', '09'])
    assert.equal(await ownerIn([row(THEIRS, OURS, { state, uid: 0, inode: 0 })]), null, state);
  assert.equal(await ownerIn([row(THEIRS, OURS, { uid: 0, inode: 0 })]), null);
  assert.equal(
    await ownerIn([row(THEIRS, OURS, { state: '06', uid: 0, inode: 0 }), row(THEIRS, OURS)]),
    1234,
  );
});

test('a neighbour with half of the address is somebody else', async () => {
  const others = [row(THEIRS, `${LOCAL}:2009`, { uid: 0 }), row(`${LOCAL}:9C41`, OURS, { uid: 0 })];
  assert.equal(await ownerIn(others), null);
});

test('a program that reaches IPv4 through a socket of IPv6 is found there', async () => {
  const zeros = '0'.repeat(8);
  const mapped = zeros + zeros + (endianness() === 'LE' ? 'FFFF0000' : '0000FFFF');
  assert.equal(await ownerIn([], [row(mapped + THEIRS, mapped + OURS)]), 1234);
});

test('beyond loopback nobody has an owner', async () => {
  const owners = new SocketOwners();
  for (const address of ['10.0.0.1', '::', 'fe80::1', '128.0.0.1', '::ffff:10.0.0.1', undefined])
    assert.equal(await owners.ownerOf({ address, port: 1 }, { address, port: 2 }), null, address);
});

test('many connections at once are all told, by the kernel itself', async () => {
  await using server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const owners = new SocketOwners();
  const found: Promise<number | null>[] = [];
  const ends: Socket[] = [];
  server.on('connection', (socket) => {
    const { localAddress, localPort, remoteAddress, remotePort } = socket;
    ends.push(socket);
    found.push(
      owners.ownerOf(
        { address: localAddress, port: localPort },
        { address: remoteAddress, port: remotePort },
      ),
    );
  });
  const clients = Array.from({ length: 50 }, () => connect(port, '127.0.0.1'));
  await Promise.all(clients.map((client) => once(client, 'connect')));
  while (found.length < clients.length) await once(server, 'connection');
  assert.deepEqual(new Set(await Promise.all(found)), new Set([process.geteuid?.()]));
  assert.deepEqual(await owners.listenersOn(port), [process.geteuid?.()]);
  for (const end of [...ends, ...clients]) end.destroy();
});
