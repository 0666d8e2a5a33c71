import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { accessSync, chmodSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { makeWorkDirectory, removeTree } from '../../../node/worker/work-directory.ts';

const NOBODY = 65534;

describe('working directories', () => {
  test('are empty when made, whatever stood in their place', async () => {
    const root = await mkdtemp(join(tmpdir(), 'fsched-work-'));
    try {
      await mkdir(join(root, 'r-1/old'), { recursive: true });
      const directory = await makeWorkDirectory(root, 'r', 1, null);
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

  test('are removed by an ordinary user although a program took the permissions away', (context) => {
    const module = fileURLToPath(new URL('../../../node/worker/work-directory.ts', import.meta.url));
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
