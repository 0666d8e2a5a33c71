import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { BUNDLE } from '../support/daemon-process.ts';
import { eventually } from '../support/eventually.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fsched-start-'));
});
after(() => rm(folder, { recursive: true }));

/** Opening a FIFO to write succeeds at once only where somebody reads. */
function isRead(path: string): boolean {
  try {
    closeSync(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK));
    return true;
  } catch {
    return false;
  }
}

for (const option of ['token-file', 'api-token-file', 'config']) {
  test(`a FIFO that nobody writes to, given as --${option}, leaves the node able to hear signals`, async () => {
    const path = join(folder, option);
    execFileSync('mkfifo', [path]);
    const places = [
      '--data-dir',
      join(folder, `data-${option}`),
      '--listen',
      '127.0.0.1:0',
      '--rest',
      '127.0.0.1:0',
    ];
    const node = spawn(process.execPath, [BUNDLE, 'start', ...places, `--${option}`, path], {
      stdio: 'ignore',
    });
    const ended = once(node, 'exit');
    try {
      await eventually('it reads the FIFO', () => isRead(path));
      // A process that waits in open(2) for a writer doesn't end by these: its exit waits for that thread.
      node.kill('SIGTERM');
      // Two within 400 ms count as one.
      await delay(500);
      node.kill('SIGTERM');
      const [code, signal] = await ended;
      assert.ok(code === 143 || signal === 'SIGTERM', `${code} ${signal}`);
    } finally {
      node.kill('SIGKILL');
    }
  });
}
