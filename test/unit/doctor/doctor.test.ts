import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { systemClock } from '../../../node/adapters.ts';
import { defaultsOf, type NodeConfig, readHost } from '../../../node/config/config.ts';
import { examine } from '../../../node/doctor/doctor.ts';
import { openLevelLogStore } from '../../../node/store/level-log-store.ts';
import { OWN_USER } from '../worker/isolation/machine.ts';

/** What is found, by name. */
async function examined(changes: Partial<NodeConfig> = {}, searchPath = process.env.PATH ?? '') {
  const base = { dataDir: '/tmp', listen: '/ip4/127.0.0.1/tcp/0', rest: { host: '127.0.0.1', port: 0 } };
  const findings = await examine(
    { ...defaultsOf({}, readHost()), ...base, ...changes },
    searchPath,
    systemClock,
  );
  return (what: string) =>
    findings.find((finding) => finding.what === what) ?? assert.fail(`nothing of ${what}`);
}

describe('the doctor', () => {
  test('tells of each thing once, and leaves nothing behind', async () => {
    const before = (await readdir(tmpdir())).filter((name) => name.startsWith('fsched-doctor-'));
    const find = await examined();
    for (const what of ['node', 'taskset', 'cgroups', 'user', 'bubblewrap', 'valgrind', 'resctrl'])
      find(what);
    const after = (await readdir(tmpdir())).filter((name) => name.startsWith('fsched-doctor-'));
    assert.deepEqual(after, before);
  });

  test('names what is missing, what follows and what to do', async () => {
    const find = await examined({}, '/nowhere');
    for (const [what, advice] of [
      ['taskset', /not pinned.*install util-linux/],
      ['prlimit', /install util-linux/],
      ['bubblewrap', /without a sandbox: install bubblewrap/],
      ['valgrind', /install valgrind/],
    ] as const) {
      assert.equal(find(what).state, 'missing', what);
      assert.match(find(what).message, advice);
    }
  });

  test('tells of the room on the disk beside what a node keeps for its log', async () => {
    const roomy = await examined({ diskReserve: { share: 0, bytes: 1 } });
    assert.equal(roomy('disk').state, 'ok');
    const full = await examined({ diskReserve: { share: 0, bytes: 2 ** 60 } });
    assert.equal(full('disk').state, 'missing');
    assert.match(
      full('disk').message,
      /^no run is started, no upload taken: \d+ MiB free, of which the node keeps/,
    );
  });

  test('calls failed what keeps a node from starting', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    try {
      const address = taken.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      const rest = { host: '127.0.0.1', port };
      const find = await examined({ rest, runAs: 'no-such-user-here', sandbox: 'on' }, '/usr/bin:/bin');
      assert.equal(find('REST port').state, 'failed');
      assert.match(find('REST port').message, /in use.*--rest/);
      assert.equal(find('mesh port').state, 'ok');
      assert.equal(find('user').state, 'failed');
      const without = await examined({ sandbox: 'on' }, '/nowhere');
      assert.equal(without('bubblewrap').state, 'failed');
    } finally {
      taken.close();
    }
  });

  test('warns where programs share the user of the node', async () => {
    const user = (await examined({ sandbox: 'off', runAs: OWN_USER }))('user');
    assert.equal(user.state, 'missing');
    assert.match(user.message, /without a sandbox and (can read its token and keys|have all rights)/);
  });

  test('looks at the data directory', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'fsched-data-'));
    try {
      assert.equal((await examined({ dataDir: directory }))('data directory').state, 'ok');
      assert.match(
        (await examined({ dataDir: join(directory, 'a/b') }))('data directory').message,
        /to be made/,
      );
      await chmod(directory, 0o755);
      const open = (await examined({ dataDir: directory }))('data directory');
      assert.equal(open.state, 'missing');
      assert.match(open.message, /chmod 700/);
      const file = await examined({ dataDir: '/etc/passwd/x' });
      assert.equal(file('data directory').state, 'failed');
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test('does not blame the sandbox for a user that is not there', async () => {
    const fine = (await examined())('bubblewrap');
    const find = await examined({ runAs: 'no-such-user-here' });
    assert.equal(find('user').state, 'failed');
    assert.deepEqual(find('bubblewrap'), fine);
  });

  test('finds a data directory in use', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'fsched-data-'));
    try {
      const log = await openLevelLogStore({ directory: join(directory, 'log') });
      const used = (await examined({ dataDir: directory }))('data directory');
      await log.close();
      assert.equal(used.state, 'failed');
      assert.match(used.message, /in use by a node/);
      assert.equal((await examined({ dataDir: directory }))('data directory').state, 'ok');
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test('finds files of secrets that are not there, too short, or open to others', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'fsched-data-'));
    const file = join(directory, 'secret');
    try {
      for (const [what, key] of [
        ['join token', 'tokenFile'],
        ['API token', 'apiTokenFile'],
      ] as const) {
        assert.equal((await examined({ dataDir: directory }))(what).state, 'ok', 'the node makes its own');
        const missing = (await examined({ [key]: join(directory, 'nothing') }))(what);
        assert.equal(missing.state, 'failed');
        assert.match(missing.message, /there is no/);
        await writeFile(file, 'short', { mode: 0o600 });
        assert.match((await examined({ [key]: file }))(what).message, /holds 5 characters/);
        // One of the API crosses in a header: `start` refuses it as well.
        await writeFile(file, `${'a'.repeat(16)} ${'b'.repeat(16)}`);
        const spaced = (await examined({ [key]: file }))(what);
        assert.equal(spaced.state, key === 'apiTokenFile' ? 'failed' : 'ok');
        await writeFile(file, 'a'.repeat(32));
        assert.equal((await examined({ [key]: file }))(what).state, 'ok');
        await chmod(file, 0o644);
        const open = (await examined({ [key]: file }))(what);
        assert.deepEqual([open.state, /chmod 600/.test(open.message)], ['missing', true]);
        await chmod(file, 0o600);
      }
      for (const [what, name] of [
        ['peer key', 'peer-key'],
        ['cluster key', 'cluster-key'],
      ] as const) {
        await writeFile(join(directory, name), '', { mode: 0o640 });
        const open = (await examined({ dataDir: directory }))(what);
        assert.deepEqual([open.state, /chmod 600/.test(open.message)], ['missing', true]);
      }
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test('finds REST that others can read, and what a configuration opens', async () => {
    const beyond = await examined({ rest: { host: '0.0.0.0', port: 0 } });
    assert.equal(beyond('REST by https').state, 'missing');
    assert.match(beyond('REST by https').message, /--tls-cert/);
    const broken = await examined({ tlsCert: '/nowhere', tlsKey: '/nowhere' });
    assert.equal(broken('REST by https').state, 'failed');
    const fine = await examined();
    for (const what of ['REST by https', 'limits', 'network']) assert.equal(fine(what).state, 'ok', what);
    assert.match((await examined({ memoryLimit: null }))('limits').message, /memory/);
    assert.match((await examined({ foundingTokenTtl: null }))('token expiry').message, /until it is revoked/);
    assert.equal((await examined({ sandboxNetwork: true }))('network').state, 'missing');
    assert.match((await examined({ allowDial: ['0.0.0.0/0'] }))('network').message, /0\.0\.0\.0\/0/);
    if (process.geteuid?.() === 0)
      assert.match((await examined({ runAs: 'root', sandbox: 'off' }))('user').message, /all rights/);
  });
});
