import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseCpuList } from '../../../node/llc/cpu-list.ts';
import { searchPathOf } from '../../../node/search-path.ts';
import { LaunchBench } from './launch-bench.ts';

/** A program that prints what it was given. */
const INTROSPECT = `
  const fs = require('node:fs');
  console.log(JSON.stringify({
    args: process.argv.slice(2), cwd: process.cwd(), env: process.env, file: __filename,
    stdin: fs.readFileSync(0, 'utf8'), stdinAgain: fs.existsSync('/dev/stdin'),
    files: fs.readdirSync('.'), mode: fs.statSync('.').mode & 0o777, fileMode: fs.statSync(__filename).mode & 0o777,
    status: fs.readFileSync('/proc/self/status', 'utf8'), stat: fs.readFileSync('/proc/self/stat', 'utf8'), pid: process.pid,
  }));
`;
const SHELL = 'sh';

describe('launching a program', () => {
  test('starts COMMAND FILE INPUT_SIZE in a directory, group, session and environment of its own, pinned', async () => {
    await using bench = await LaunchBench.create();
    const report = await bench.run(INTROSPECT, { fileName: 'a task.js', inputSize: 12_345 });
    assert.equal(report.state, 'succeeded', report.stderr);
    assert.equal(report.error, null);
    const seen = JSON.parse(report.stdout);
    assert.deepEqual(seen.args, ['12345']);
    assert.equal(basename(seen.file), 'a task.js');
    assert.equal(dirname(seen.file), seen.cwd);
    assert.equal(basename(seen.cwd), `${report.runId}-1`);
    assert.deepEqual(seen.files, ['a task.js']);
    assert.equal(seen.mode, 0o700);
    assert.equal(seen.fileMode, 0o700);
    assert.deepEqual(seen.env, {
      PATH: process.env.PATH,
      HOME: seen.cwd,
      TMPDIR: seen.cwd,
      LANG: process.env.LANG ?? 'C.UTF-8',
      FSCHED_RUN_ID: report.runId,
      FSCHED_ATTEMPT: '1',
      FSCHED_TASK_ID: 't1',
      FSCHED_INPUT_SIZE: '12345',
    });
    const [, , group, session] = seen.stat.slice(seen.stat.lastIndexOf(')') + 2).split(' ');
    assert.deepEqual([Number(group), Number(session)], [seen.pid, seen.pid]);
    assert.equal(report.result?.pid, seen.pid);
    assert.deepEqual(report.result?.cpus, bench.domain.cpus);
    assert.deepEqual(
      parseCpuList(/^Cpus_allowed_list:\s*(.*)$/m.exec(seen.status)?.[1] ?? ''),
      bench.domain.cpus,
    );
    assert.equal(report.result?.enforcement, 'unenforced');
    const nanoseconds = report.result?.executionTimeNs ?? 0;
    assert.ok(nanoseconds > 1e6 && nanoseconds < 30e9, `${nanoseconds}`);
  });

  test('gives parameters on standard input and in the environment', async () => {
    await using bench = await LaunchBench.create();
    const parameters = JSON.stringify({ text: 'größe "1"', list: [1, 2] });
    const seen = JSON.parse((await bench.run(INTROSPECT, { parameters })).stdout);
    assert.equal(seen.stdin, parameters);
    assert.equal(seen.env.FSCHED_PARAMETERS, parameters);
  });

  test('gives parameters that are too large for the environment on standard input only', async () => {
    await using bench = await LaunchBench.create();
    const largest = JSON.stringify('x'.repeat(100 * 1024 - 2));
    assert.equal(
      JSON.parse((await bench.run(INTROSPECT, { parameters: largest })).stdout).env.FSCHED_PARAMETERS,
      largest,
    );
    const parameters = JSON.stringify('x'.repeat(600_000));
    const seen = JSON.parse((await bench.run(INTROSPECT, { parameters })).stdout);
    assert.equal(seen.stdin, parameters);
    assert.equal('FSCHED_PARAMETERS' in seen.env, false);
  });

  test('gives an empty standard input without parameters', async () => {
    await using bench = await LaunchBench.create();
    const report = await bench.run('readlink /proc/self/fd/0; cat', { command: SHELL });
    assert.equal(report.stdout, '/dev/null\n');
  });

  test('hands no descriptor of the daemon on, not even one that it was given without the mark to close it', async () => {
    const host = fileURLToPath(new URL('./descriptor-host.ts', import.meta.url));
    const leaked = openSync('/etc/passwd', 'r');
    // Node itself marks the descriptors below 16 at its start.
    const extra: ('ignore' | number)[] = Array.from({ length: 40 }, (_, index) =>
      [20, 42].includes(index + 3) ? leaked : 'ignore',
    );
    const child = spawn(process.execPath, [host], { stdio: ['ignore', 'pipe', 'inherit', ...extra] });
    closeSync(leaked);
    const reports: string[] = JSON.parse(await text(child.stdout as Readable));
    assert.equal(reports.length, 4);
    for (const report of reports) {
      const targets = report.trim().split('\n');
      assert.equal(targets.pop(), 'end');
      assert.deepEqual(
        targets.filter((target) => !/^(pipe:\[\d+\]|\/dev\/null)$/.test(target)),
        [],
      );
    }
  });

  test('lets a program open its standard streams by name, as in a shell', async () => {
    await using bench = await LaunchBench.create();
    const source = 'cat /dev/stdin > /dev/stdout; echo problem > /dev/stderr';
    const report = await bench.run(source, { command: SHELL, parameters: '[1]' });
    assert.deepEqual([report.state, report.stdout, report.stderr], ['succeeded', '[1]', 'problem\n']);
  });

  for (const fileName of [
    '-rf.js',
    'größe 漢字.js',
    '.hidden',
    'it\'s "quoted" $HOME *.js',
    'x'.repeat(255),
  ]) {
    test(`runs a file named ${fileName.slice(0, 30)}`, async () => {
      await using bench = await LaunchBench.create();
      const report = await bench.run('echo "$0"; ls -A', { command: SHELL, fileName });
      assert.equal(report.state, 'succeeded', report.stderr);
      assert.match(report.stdout, /^\//);
      assert.equal(basename(report.stdout.split('\n')[0] ?? ''), fileName);
    });
  }

  for (const fileName of ['', '.', '..', '../escape', 'a/b', 'a\0b', 'ä'.repeat(128)]) {
    test(`refuses a file named ${JSON.stringify(fileName.slice(0, 30))}`, async () => {
      await using bench = await LaunchBench.create();
      const report = await bench.run('', { fileName });
      assert.equal(report.state, 'failed');
      assert.equal(report.result?.exitStatus, 127);
      assert.match(report.error ?? '', /name/);
    });
  }

  test('runs the file itself by a command that names it', async () => {
    await using bench = await LaunchBench.create();
    const report = await bench.run('#!/bin/sh\necho "$0 $2"', {
      command: './task',
      fileName: 'task',
      inputSize: 7,
    });
    assert.equal(report.state, 'succeeded', report.error ?? report.stderr);
    assert.match(report.stdout, /task 7\n$/);
  });

  test('passes the words of a command on as they are', async () => {
    await using bench = await LaunchBench.create();
    const report = await bench.run('', {
      command: `${SHELL} -c 'echo "$1|$2"' zero "a  b;c"`,
      fileName: 'f',
    });
    assert.match(report.stdout, /^a {2}b;c\|\/.*\/f\n$/);
  });

  test('fails a run whose command does not exist, is not executable or needs a shell', async () => {
    await using bench = await LaunchBench.create();
    const cases: [string, RegExp][] = [
      ['no-such-program-here', /"no-such-program-here" was not found in the PATH.*install it/],
      ['./missing', /does not exist/],
      ['/etc/passwd', /not executable/],
      ['/', /does not exist/],
      ['sh; reboot', /operator ";"/],
      ['', /empty/],
    ];
    for (const [command, error] of cases) {
      const report = await bench.run('', { command });
      assert.equal(report.state, 'failed');
      assert.equal(report.result?.exitStatus, 127);
      assert.equal(report.result?.pid, null);
      assert.match(report.error ?? '', error);
    }
  });

  test('tells of a missing interpreter', async () => {
    await using bench = await LaunchBench.create();
    const report = await bench.run('#!/no/such/interpreter\n', { command: './task.js' });
    assert.equal(report.state, 'failed');
    assert.equal(report.result?.exitStatus, 127);
    assert.match(report.error ?? '', /#! line/);
  });

  test('looks in the usual places when it is told of none', async () => {
    await using bench = await LaunchBench.create({ searchPath: searchPathOf({ PATH: '' }) });
    const report = await bench.run('echo "$PATH"', { command: SHELL });
    assert.equal(report.stdout, '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n');
  });

  test('does without the tools of util-linux, unpinned', async () => {
    await using bench = await LaunchBench.create({ searchPath: '/nowhere' });
    const report = await bench.run('console.log(1)');
    assert.equal(report.state, 'succeeded', report.error ?? '');
    assert.deepEqual(report.result?.cpus, []);
    assert.equal(report.stdout, '1\n');
  });

  test('reports exit statuses and signals', async () => {
    await using bench = await LaunchBench.create();
    const cases: [string, number, string | null][] = [
      ['exit 0', 0, null],
      ['exit 3', 3, null],
      ['exit 255', 255, null],
      ['kill -SEGV $$', 139, 'SIGSEGV'],
      ['kill -TERM $$', 143, 'SIGTERM'],
      ['kill -KILL $$', 137, 'SIGKILL'],
    ];
    for (const [source, exitStatus, signal] of cases) {
      const report = await bench.run(source, { command: SHELL });
      assert.deepEqual([report.result?.exitStatus, report.result?.signal], [exitStatus, signal], source);
      assert.equal(report.state, exitStatus === 0 ? 'succeeded' : 'failed');
    }
  });
});

describe('output', () => {
  test('is kept to the limit while the program may go on writing', async () => {
    await using bench = await LaunchBench.create({ outputLimitBytes: 1024 * 1024 });
    const source = `
      const block = Buffer.alloc(65536, 'a');
      for (let i = 0; i < 160; i++) require('node:fs').writeSync(1, block);
      require('node:fs').writeSync(2, 'written');
    `;
    const report = await bench.run(source);
    assert.equal(report.state, 'succeeded', report.stderr);
    assert.equal(report.result?.stdout.bytes.length, 1024 * 1024);
    assert.equal(report.result?.stdout.truncated, true);
    assert.deepEqual([report.stderr, report.result?.stderr.truncated], ['written', false]);
  });

  test('is not called truncated when it just fits', async () => {
    await using bench = await LaunchBench.create({ outputLimitBytes: 5 });
    const exact = await bench.run('printf 12345', { command: SHELL });
    assert.deepEqual([exact.stdout, exact.result?.stdout.truncated], ['12345', false]);
    const more = await bench.run('printf 123456', { command: SHELL });
    assert.deepEqual([more.stdout, more.result?.stdout.truncated], ['12345', true]);
  });

  test('may be any bytes', async () => {
    await using bench = await LaunchBench.create();
    const report = await bench.run(
      'process.stdout.write(Buffer.from(Array.from({ length: 256 }, (_, i) => i)))',
    );
    assert.deepEqual([...(report.result?.stdout.bytes ?? [])], [...Array(256).keys()]);
  });

  test('may be closed early', async () => {
    await using bench = await LaunchBench.create();
    const report = await bench.run('echo first; exec 1>&- 2>&-; sleep 0.1; exit 4', { command: SHELL });
    assert.deepEqual([report.stdout, report.result?.exitStatus], ['first\n', 4]);
  });

  test('can be read while the program runs', async () => {
    await using bench = await LaunchBench.create();
    const runId = await bench.start('echo one; read line < fifo', { command: SHELL });
    const other = await bench.start('printf two; while :; do sleep 1; done', { command: SHELL });
    await bench.reported(runId);
    assert.equal(await bench.written(other, 'two'), 'two');
    assert.equal(Buffer.from(bench.worker.output(other, 1, 'stdout', 2)?.bytes ?? []).toString(), 'o');
    bench.worker.cancel(other, 1);
    const report = await bench.reported(other);
    assert.equal(report.state, 'cancelled');
    assert.equal(Buffer.from(report.result?.stdout.bytes ?? []).toString(), 'two');
  });
});
