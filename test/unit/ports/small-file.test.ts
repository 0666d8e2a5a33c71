import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { readSmallFile, readSmallFileSync } from '../../../node/small-file.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fsched-secret-'));
});
after(() => rm(folder, { recursive: true }));

let made = 0;
function fifo(): string {
  made += 1;
  const path = join(folder, `fifo-${made}`);
  execFileSync('mkfifo', [path]);
  return path;
}

/** Both ways to read, as one. */
const READERS = [
  ['readSmallFile', readSmallFile],
  ['readSmallFileSync', async (...args: Parameters<typeof readSmallFileSync>) => readSmallFileSync(...args)],
] as const;

for (const [name, read] of READERS) {
  describe(name, () => {
    test('reads a file, also an empty one', async () => {
      const path = join(folder, 'file');
      await writeFile(path, 'secret\n');
      assert.equal(await read(path), 'secret\n');
      await writeFile(path, '');
      assert.equal(await read(path), '');
      assert.equal(await read('/dev/null'), '');
    });

    test('reads a FIFO to its end, from a writer who comes and writes late', async () => {
      const path = fifo();
      const writer = spawn('sh', [
        '-c',
        'sleep 0.1; exec >"$1"; sleep 0.1; printf se; sleep 0.1; printf cret',
        'sh',
        path,
      ]);
      assert.equal(await read(path), 'secret');
      writer.kill();
    });

    test('gives a FIFO up that nobody writes to, or whose writer says nothing', async () => {
      const lonely = fifo();
      await assert.rejects(read(lonely, { patienceMs: 60 }), /nobody wrote anything to .*in time/);
      const silent = fifo();
      const writer = spawn('sh', ['-c', 'exec 3<>"$1"; exec sleep 60', 'sh', silent]);
      await assert.rejects(read(silent, { patienceMs: 300 }), /in time/);
      writer.kill();
    });

    test('does not read for ever what has no end', async () => {
      await assert.rejects(read('/dev/zero'), /wrong file/);
    });

    test('says what the system says of what is no file', async () => {
      await assert.rejects(read(folder), { code: 'EISDIR' });
      await assert.rejects(read(join(folder, 'nothing')), { code: 'ENOENT' });
    });
  });
}

test('the process substitution of a shell keeps working', () => {
  const program = `
    import { readSmallFile } from ${JSON.stringify(new URL('../../../node/small-file.ts', import.meta.url).href)};
    console.log(await readSmallFile(process.argv[1]));`;
  const command = `"$0" --import tsx --input-type=module -e "$1" <(sleep 0.1; echo a-token)`;
  const heard = execFileSync('bash', ['-c', command, process.execPath, program], { encoding: 'utf8' });
  assert.equal(heard, 'a-token\n\n');
});
