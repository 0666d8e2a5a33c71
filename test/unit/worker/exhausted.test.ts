/** A machine without descriptors or processes: what a node can't do then it does later, and it goes on. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startProcess } from '../../../node/start-process.ts';

const host = fileURLToPath(new URL('./exhausted-host.ts', import.meta.url));

describe('without a descriptor', () => {
  const cases: [string, string, RegExp][] = [
    ['what runs keep on disk is not known', 'usage', /^null$/],
    ['nor what all runs do', 'census', /^null$/],
    ['there are no pipes', 'pipes', /^null$|EMFILE/],
    ['a directory is not locked', 'lock', /needs the programs sh and flock, and room.*EMFILE/],
    ['a tool does not work', 'tool', /^false$/],
  ];
  for (const [name, deed, expected] of cases) {
    test(`${name}, and the process goes on`, () => {
      const words = ['-c', 'ulimit -n 100 && exec "$@"', 'sh', process.execPath, host, deed];
      const { status, stdout, stderr } = spawnSync('sh', words, { encoding: 'utf8', timeout: 60_000 });
      assert.equal(status, 0, stderr);
      assert.match(String(JSON.parse(stdout).without), expected);
    });
  }
});

describe('a process that is to be started', () => {
  test('runs, or is a value that says why not', async () => {
    const started = await startProcess(() => spawn('sh', ['-c', 'exit 7'], { stdio: 'ignore' }));
    assert.ok(started.ok && started.value.pid > 0);
    const code = await new Promise((resolve) => started.value.once('exit', resolve));
    assert.equal(code, 7, 'its end is not missed');
    const absent = await startProcess(() => spawn('/no/such/program', { stdio: 'ignore' }));
    assert.match(absent.ok ? '' : absent.error.message, /ENOENT/);
  });

  test('is a value also where the machine has no memory, which is told by an exception', async () => {
    const refused = await startProcess(() => {
      throw Object.assign(new Error('spawn ENOMEM'), { code: 'ENOMEM' });
    });
    assert.match(refused.ok ? '' : refused.error.message, /ENOMEM/);
  });
});
