import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EXIT } from '../../../cli/exit-codes.ts';

const host = fileURLToPath(new URL('./last-resort-host.ts', import.meta.url));

for (const kind of ['rejection', 'exception']) {
  test(`a daemon ends with a status of its own, and one line of log, at ${kind === 'rejection' ? 'a' : 'an'} ${kind} that nobody handles`, () => {
    const { status, stderr } = spawnSync(process.execPath, [host, kind], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    assert.equal(status, EXIT.INTERNAL, stderr);
    const line = JSON.parse(stderr);
    assert.match(line.msg, /the node ends: a mistake in fsched itself/);
    assert.match(line.err.stack, /nobody thought of this[\s\S]*last-resort-host/);
  });
}
