import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const signals = fileURLToPath(new URL('../../../cli/signals.ts', import.meta.url));
/** Never stops by itself after the first signal. */
const PROGRAM = `
import { onInterrupt } from ${JSON.stringify(signals)};
onInterrupt(() => console.log('first'));
setInterval(() => {}, 1000);
console.log('up');`;

describe('onInterrupt', () => {
  test('takes one key press that arrives twice for one, and ends at the second press', async () => {
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', PROGRAM]);
    const lines = createInterface({ input: child.stdout });
    const said: string[] = [];
    lines.on('line', (line) => said.push(line));
    await once(lines, 'line');
    const first = once(lines, 'line');
    child.kill('SIGINT');
    child.kill('SIGTERM');
    await first;
    assert.equal(child.exitCode, null);
    const ended = once(child, 'exit');
    // The window in which two signals are one press has to pass; every further signal is harmless.
    const press = setInterval(() => child.kill('SIGINT'), 100);
    const [code] = await ended;
    clearInterval(press);
    assert.equal(code, 130);
    assert.deepEqual(said, ['up', 'first']);
  });
});
