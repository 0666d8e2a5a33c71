import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, chmodSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { removeTree } from '../../../node/worker/remove-tree.ts';
import { makeWorkDirectory } from '../../../node/worker/work-directory.ts';

const NOBODY = 65534;

/** Exchanges a directory for a link to another one, again and again (renameat2 with RENAME_EXCHANGE). */
const SWAPPER = `
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
os.mkdir('a')
for i in range(100): open('a/%d' % i, 'w').close()
os.symlink(sys.argv[1], 'b')
print('ready', flush=True)
while True: libc.renameat2(-100, b'a', -100, b'b', 2)
`;
const SKIP_SWAP =
  process.getuid?.() !== 0
    ? 'only root could remove what is of others'
    : spawnSync('python3', ['-c', 'import ctypes; ctypes.CDLL(None).renameat2']).status !== 0 &&
      'python3 is not installed, or its libc has no renameat2';

describe('working directories', () => {
  test('are empty when made, whatever stood in their place', async () => {
    const root = await mkdtemp(join(tmpdir(), 'fsched-work-'));
    try {
      await mkdir(join(root, 'r-1/old'), { recursive: true });
      const directory = await makeWorkDirectory(root, 'r', 1);
      assert.deepEqual(await readdir(directory), []);
    } finally {
      await rm(root, { recursive: true });
    }
  });

  test('are removed without following links', async () => {
    const root = await mkdtemp(join(tmpdir(), 'fsched-work-'));
    try {
      await mkdir(join(root, 'kept'));
      await writeFile(join(root, 'kept/file'), '');
      await mkdir(join(root, 'gone'));
      await symlink('../kept', join(root, 'gone/link'));
      await removeTree(join(root, 'gone'));
      assert.deepEqual(await readdir(root), ['kept']);
      assert.deepEqual(await readdir(join(root, 'kept')), ['file']);
    } finally {
      await rm(root, { recursive: true });
    }
  });

  test('are removed however deep and full they are', async () => {
    const root = await mkdtemp(join(tmpdir(), 'fsched-work-'));
    const directory = join(root, 'r-1');
    try {
      // Far beyond the longest path (PATH_MAX is 4,096 bytes), so it is made step by step.
      const script = `
        const fs = require('node:fs');
        fs.mkdirSync(process.argv[1]);
        process.chdir(process.argv[1]);
        for (let i = 0; i < 60; i++) {
          const name = String(i).padStart(200, '0');
          fs.mkdirSync(name);
          process.chdir(name);
        }`;
      const made = spawnSync(process.execPath, ['-e', script, directory], { encoding: 'utf8' });
      assert.equal(made.status, 0, made.stderr);
      await Promise.all(Array.from({ length: 2000 }, (_, i) => writeFile(join(directory, `${i}`), '')));
      await removeTree(directory);
      assert.deepEqual(await readdir(root), []);
    } finally {
      spawnSync('rm', ['-rf', root]);
    }
  });

  test('are removed with names that are no text', async () => {
    const root = await mkdtemp(join(tmpdir(), 'fsched-work-'));
    const directory = join(root, 'r-1');
    await mkdir(directory);
    await writeFile(Buffer.concat([Buffer.from(`${directory}/`), Buffer.from([0xff, 0xfe, 0x0a])]), '');
    await removeTree(directory);
    assert.deepEqual(await readdir(root), []);
    await rm(root, { recursive: true });
  });

  test('are removed by their owner, who loses nothing of others', { skip: SKIP_SWAP }, async () => {
    const root = await mkdtemp(join(tmpdir(), 'fsched-work-'));
    await chmod(root, 0o711);
    const kept = join(root, 'kept');
    try {
      await mkdir(kept, { mode: 0o700 });
      for (let i = 0; i < 100; i++) await writeFile(join(kept, `${i}`), '');
      for (let round = 0; round < 8; round++) {
        const directory = join(root, `r-${round}`);
        await mkdir(directory);
        await chown(directory, NOBODY, NOBODY);
        const attacker = spawn('python3', ['-c', SWAPPER, kept], {
          cwd: directory,
          uid: NOBODY,
          gid: NOBODY,
        });
        await once(attacker.stdout, 'data');
        await removeTree(directory).catch(() => undefined);
        attacker.kill('SIGKILL');
        await once(attacker, 'exit');
        await removeTree(directory);
      }
      assert.equal((await readdir(kept)).length, 100);
      assert.deepEqual(await readdir(root), ['kept']);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });

  test('are removed by an ordinary user although a program took the permissions away', (context) => {
    const module = fileURLToPath(new URL('../../../node/worker/remove-tree.ts', import.meta.url));
    const isRoot = process.getuid?.() === 0;
    const root = mkdtempSync(join(tmpdir(), 'fsched-work-'));
    try {
      if (isRoot) chmodSync(root, 0o777);
      const script = `
        const fs = require('node:fs');
        const root = ${JSON.stringify(root)} + '/tree';
        fs.accessSync(${JSON.stringify(module)});
        fs.mkdirSync(root + '/a/b/c', { recursive: true });
        fs.writeFileSync(root + '/a/b/c/file', '');
        for (const path of ['/a/b/c', '/a/b', '/a', '']) fs.chmodSync(root + path, 0);
        import(${JSON.stringify(module)}).then(({ removeTree }) => removeTree(root))
          .then(() => console.log(fs.existsSync(root) ? 'there' : 'gone'));
      `;
      // Root may do everything, so that the permissions would be no obstacle.
      const user = isRoot ? { uid: NOBODY, gid: NOBODY } : {};
      const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], {
        ...user,
        encoding: 'utf8',
        cwd: '/',
      });
      if (isRoot && /EACCES/.test(stderr) && !isWorldReadable(module)) {
        context.skip('another user may not read this project');
        return;
      }
      assert.equal(stdout, 'gone\n', stderr);
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });
});

/** A guess that is good enough to tell why the test can't be run. */
function isWorldReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return spawnSync('cat', [path], { uid: NOBODY, gid: NOBODY }).status === 0;
  } catch {
    return false;
  }
}
