/** The table of processes is long, and the event loop has other things to do. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { countTasks, listProcesses } from '../../../node/procfs.ts';

const MANY = 150;

test('the processes of a machine are gone through with breaks', {
  skip: !existsSync('/proc/self/stat') && 'there is no procfs',
}, async () => {
  const source = `for i in $(seq ${MANY}); do sleep 60 & done; echo up; wait`;
  const child = spawn('sh', ['-c', source], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    await once(child.stdout, 'data');
    const uid = process.geteuid?.() ?? 0;
    for (const read of [() => countTasks(uid), async () => (await listProcesses(0))?.entries.length ?? 0]) {
      let turns = 0;
      let done = false;
      const turn = (): void => {
        turns += 1;
        if (!done) setImmediate(turn);
      };
      setImmediate(turn);
      const count = await read();
      done = true;
      assert.ok(count >= MANY, `${count} were found`);
      assert.ok(turns >= 2, 'nothing else had a turn meanwhile');
    }
  } finally {
    process.kill(-(child.pid as number), 'SIGKILL');
  }
});
