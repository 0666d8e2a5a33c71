/** What is kept of the output of a program, and who reads the rest. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../../node/adapters.ts';
import { listProcesses } from '../../../node/procfs.ts';
import { Capture } from '../../../node/worker/capture.ts';
import { PipePool } from '../../../node/worker/pipe-pool.ts';
import { eventually } from '../../support/eventually.ts';

const MIB = 1024 ** 2;
const LIMIT = 100_000;

/** A program of the shell and its output, on a pipe as programs of runs have. */
async function withOutput<T>(
  source: string,
  isPipe: boolean,
  work: (capture: Capture, reader: Socket, exited: Promise<unknown[]>) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'fsched-capture-'));
  const pool = new PipePool(join(directory, 'pipes'));
  await pool.start();
  const pipe = await pool.take();
  assert.ok(pipe !== null);
  const child = spawn('sh', ['-c', source], { stdio: ['ignore', pipe.writeFd, 'ignore'] });
  closeSync(pipe.writeFd);
  try {
    const capture = new Capture(pipe.reader, LIMIT, isPipe ? pipe.readFd : null);
    return await work(capture, pipe.reader, once(child, 'exit'));
  } finally {
    child.kill('SIGKILL');
    pipe.reader.destroy();
    await pool.stop();
    await rm(directory, { recursive: true });
  }
}

/** Those that read for us. */
async function findDrainers(): Promise<number[]> {
  const children = ((await listProcesses(0))?.entries ?? []).filter(
    ({ parent, alive }) => parent === process.pid && alive,
  );
  const names = await Promise.all(
    children.map(({ pid }) => readFile(`/proc/${pid}/comm`, 'latin1').catch(() => '')),
  );
  return children.filter((_, index) => names[index] === 'cat\n').map(({ pid }) => pid);
}

test('a flood of output passes the event loop by once enough of it is kept, and the program ends as ever', () =>
  withOutput(`head -c ${200 * MIB} /dev/zero`, true, async (capture, reader, exited) => {
    assert.deepEqual(await exited, [0, null]);
    const { bytes, truncated } = await capture.drain(systemClock);
    assert.deepEqual([bytes.length, truncated], [LIMIT, true]);
    assert.ok(reader.bytesRead < MIB, `${reader.bytesRead} bytes were read here`);
    assert.deepEqual(await findDrainers(), []);
  }));

test('a flood on what is no pipe is read to its end', () =>
  withOutput(`head -c ${20 * MIB} /dev/zero`, false, async (capture, reader, exited) => {
    assert.deepEqual(await exited, [0, null]);
    const { bytes, truncated } = await capture.drain(systemClock);
    assert.deepEqual([bytes.length, truncated, reader.bytesRead], [LIMIT, true, 20 * MIB]);
  }));

test('who reads for us may die, and the program does not', () =>
  withOutput('yes & wait', true, async (capture, reader, exited) => {
    const [pid = 0] = await eventually('who reads', async () => {
      const found = await findDrainers();
      return found.length > 0 && found;
    });
    process.kill(pid, 'SIGKILL');
    await eventually('that it is read here', async () => reader.bytesRead > MIB);
    assert.equal(await Promise.race([exited, null]), null, 'it goes on');
    assert.equal(capture.from(0).length, LIMIT);
    reader.destroy();
  }));

test('who reads for us goes with the pipe, though somebody still writes', () =>
  withOutput('yes', true, async (capture) => {
    await eventually('who reads', async () => (await findDrainers()).length > 0);
    assert.equal((await capture.drain(systemClock)).truncated, true);
    await eventually('its end', async () => (await findDrainers()).length === 0);
  }));
