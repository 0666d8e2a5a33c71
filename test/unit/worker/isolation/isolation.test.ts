/** What keeps a program from the machine: real programs, as far as this machine can isolate them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import { systemClock } from '../../../../node/adapters.ts';
import { openIsolation } from '../../../../node/worker/isolation/open-isolation.ts';
import { type IsolationOptions, UNLIMITED } from '../../../../node/worker/isolation/types.ts';
import type { Instrument } from '../../../../node/worker/profilers/types.ts';
import { fail } from '../../../../protocols/schema/outcome.ts';
import { dispatchOf } from '../../../builders/nouns.ts';
import { silentLogger } from '../../../support/silent-logger.ts';
import { NO_SMALL_DISK, SmallDisk } from '../../../support/small-disk.ts';
import { LaunchBench, type LaunchBenchOptions } from '../launch-bench.ts';
import { NEEDS_ROOT, NO_SANDBOX, OWN_USER, rangeOf } from './machine.ts';

const IS_ROOT = process.geteuid?.() === 0;
const bench = (isolation: Partial<IsolationOptions>, more: LaunchBenchOptions = {}) =>
  LaunchBench.create({ isolation, ...more });
const limits = (changes: Partial<IsolationOptions['limits']>) => ({ limits: { ...UNLIMITED, ...changes } });

describe('limits of a run', () => {
  test('stop a program that takes memory without end, and the node goes on', async () => {
    await using worker = await bench(limits({ memoryBytes: 256 * 1024 ** 2 }));
    const report = await worker.run('a=x; while :; do a="$a$a"; done', {
      command: 'sh',
      timeLimitMs: 20_000,
    });
    assert.equal(report.state, 'failed', report.stderr);
    assert.notEqual(report.result?.isolation?.limits, 'none');
    const after = await worker.run('print(len(bytearray(64 << 20)))', { command: '/usr/bin/python3' });
    assert.equal(after.stdout, `${64 << 20}\n`, 'less than the limit is had');
  });

  test('hold the number of open files, and write no core files', async () => {
    await using worker = await bench(limits({ openFiles: 64 }));
    const report = await worker.run('ulimit -n; ulimit -Hn; ulimit -c', { command: 'sh' });
    assert.equal(report.stdout, '64\n64\n0\n');
    const greedy = `import os
files = []
try:
    while True: files.append(os.open("/dev/null", os.O_RDONLY))
except OSError as error: print(len(files) < 64, error.errno)`;
    const python = await worker.run(greedy, { command: '/usr/bin/python3' });
    if (python.error?.includes('does not exist')) return;
    assert.equal(python.stdout, 'True 24\n');
  });

  test('are not raised by a program beyond what the daemon may have', async () => {
    await using worker = await bench(limits({ openFiles: 1_000_000_000 }));
    const report = await worker.run('true', { command: 'sh' });
    assert.equal(report.state, 'succeeded', report.stderr);
  });

  for (const [name, options, skip] of [
    ['another user', { runAs: 'nobody' }, NEEDS_ROOT],
    ['a sandbox', { sandbox: 'on' }, IS_ROOT ? 'the kernel limits no process of root' : NO_SANDBOX],
    ['both', { runAs: 'nobody', sandbox: 'on' }, NEEDS_ROOT || NO_SANDBOX],
  ] as [string, Partial<IsolationOptions>, string | false][]) {
    test(`stop a program that forks without end, with ${name}; nothing of it is left`, { skip }, async () => {
      await using worker = await bench({ ...options, ...limits({ processes: 24 }) });
      const source = `import os, sys, time
count = 0
try:
    while count < 200:
        if os.fork() == 0: time.sleep(1000)
        count += 1
except OSError as error: print("refused", count <= 24, error.errno)`;
      const report = await worker.run(source, { command: '/usr/bin/python3', timeLimitMs: 20_000 });
      assert.equal(report.stdout, 'refused True 11\n', report.stderr);
      const next = await worker.run('echo fine | cat', { command: 'sh' });
      assert.equal(
        next.stdout,
        'fine\n',
        `${next.stderr}${next.error}: the next run has its processes again`,
      );
    });
  }
});

describe('the user of a run', () => {
  test('is the one of the node unless it says otherwise, and gets no new privileges', async () => {
    await using worker = await bench({});
    const report = await worker.run('grep NoNewPrivs /proc/self/status', { command: 'sh' });
    assert.match(report.stdout, /NoNewPrivs:\s+1/);
    assert.deepEqual(report.result?.isolation, {
      user: OWN_USER,
      ownUser: false,
      seccomp: false,
      limits: 'none',
      sandbox: 'none',
      network: true,
      pinned: true,
    });
  });

  test('has no rights, groups or capabilities', { skip: NEEDS_ROOT }, async () => {
    await using worker = await bench({ runAs: 'nobody' });
    const report = await worker.run('grep -E "^(Uid|Groups|Cap|NoNew)" /proc/self/status; id -un', {
      command: 'sh',
    });
    assert.match(report.stdout, /^Uid:(\t65534){4}$/m, report.error ?? report.stderr);
    assert.match(report.stdout, /^Groups:\s*$/m);
    for (const set of ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb']) {
      assert.match(report.stdout, new RegExp(`^Cap${set}:\\t0+$`, 'm'));
    }
    assert.match(report.stdout, /^nobody$/m);
    assert.equal(report.result?.isolation?.user, 'nobody');
  });

  test('gets its directory only when all that the node puts into it is in', {
    skip: NEEDS_ROOT,
  }, async () => {
    const seen: unknown[] = [];
    const instrument: Instrument = {
      wrap: async (command, directory) => {
        const { uid, mode } = await stat(directory);
        seen.push(uid, mode & 0o777, await readdir(directory));
        return command;
      },
      collect: async () => {},
      reading: () => fail('it measures nothing'),
    };
    await using worker = await bench({ runAs: 'nobody' }, { instrument });
    const measure = { profiler: 'wallclock', ways: 1, wayBytes: 64 } as const;
    const report = await worker.run('stat -c %u .', { command: 'sh', measure });
    assert.deepEqual(seen, [0, 0o700, [basename(dispatchOf().fileName)]]);
    assert.equal(report.stdout, '65534\n', report.error ?? '');
  });

  test('may write its directory, read its file and input, and open its streams by name', {
    skip: NEEDS_ROOT,
  }, async () => {
    await using worker = await bench({ runAs: 'nobody' });
    const source = 'cat "$0" > copy && cat /dev/stdin > /dev/stdout && echo problem > /dev/stderr && ls -A';
    const report = await worker.run(source, { command: 'sh', fileName: 'f.sh', parameters: '[1]' });
    assert.deepEqual([report.stdout, report.stderr], ['[1]copy\nf.sh\n', 'problem\n'], report.error ?? '');
  });

  test('reads nothing of what the node keeps', { skip: NEEDS_ROOT }, async () => {
    await using worker = await bench({ runAs: 'nobody' });
    const secrets = ['data/join-token', 'data/peer-key', 'data/log/1.log', 'data/blobs/x'];
    await mkdir(join(worker.directory, 'data'), { mode: 0o700 });
    for (const name of ['log', 'blobs']) await mkdir(join(worker.directory, 'data', name));
    for (const name of secrets) await writeFile(join(worker.directory, name), 'secret', { mode: 0o644 });
    const paths = secrets.map((name) => join(worker.directory, name)).join(' ');
    const report = await worker.run(`cat ${paths}; ls ${worker.directory} ${worker.directory}/open`, {
      command: 'sh',
    });
    assert.equal(report.stdout, '');
    assert.equal(report.stderr.match(/Permission denied/g)?.length, secrets.length + 2, report.stderr);
  });

  test('gains nothing from a program with the set-user-id bit', { skip: NEEDS_ROOT }, async () => {
    await using worker = await bench({ runAs: 'nobody' });
    const tool = join(worker.directory, 'id');
    await copyFile('/usr/bin/id', tool);
    await chmod(tool, 0o4755);
    assert.equal(
      spawnSync('setpriv', ['--reuid', '65534', '--clear-groups', tool, '-u'], { encoding: 'utf8' }).stdout,
      '0\n',
      'without isolation it would',
    );
    const report = await worker.run(`${tool} -u`, { command: 'sh' });
    assert.equal(report.stdout, '65534\n', report.stderr);
  });

  test('is refused at the start when it can not be had', async () => {
    await assert.rejects(bench({ runAs: 'no-such-user-here' }), /no user "no-such-user-here".*--run-as/);
    await assert.rejects(bench({ runAs: '-u' }), /no user/);
    if (!IS_ROOT) {
      await assert.rejects(bench({ runAs: 'root' }), /only root/);
      await assert.rejects(bench({ runAs: { first: 70_000, last: 70_009 } }), /only root.*--run-uids/);
    }
    const nowhere = { searchPath: '/nowhere' };
    if (IS_ROOT) await assert.rejects(bench({ runAs: 'nobody', sandbox: 'off' }, nowhere), /setpriv|no user/);
  });
});

test('a node warns when its programs are not kept from it, or from each other', async () => {
  const told = async (runAs: IsolationOptions['runAs'], sandbox: IsolationOptions['sandbox']) => {
    const directory = await mkdtemp(join(tmpdir(), 'fsched-isolation-'));
    const place = { directory: join(directory, 'work'), openDirectory: join(directory, 'open'), hidden: [] };
    const more = {
      searchPath: process.env.PATH ?? '',
      tag: 'test',
      claimsDirectory: join(directory, 'uids'),
    };
    const options = { runAs, sandbox, sandboxNetwork: false, limits: UNLIMITED };
    try {
      await chmod(directory, 0o711);
      const ports = { clock: systemClock, logger: silentLogger };
      await using isolator = await openIsolation(options, { ...place, ...more }, ports);
      return isolator.notes.join('; ');
    } finally {
      await rm(directory, { recursive: true });
    }
  };
  const shared = IS_ROOT
    ? /have all rights on this machine/
    : /can read its token and keys.*install bubblewrap/;
  assert.match(await told(null, 'off'), shared);
  if (!NO_SANDBOX) assert.doesNotMatch(await told(null, 'on'), shared);
  if (!IS_ROOT) return;
  assert.match(
    await told('nobody', 'off'),
    /runs are not kept apart: all of them are nobody's, and can read/,
  );
  assert.doesNotMatch(await told(rangeOf(1), 'off'), /token|rights|apart/);
});

for (const [what, files] of [
  ['room for a byte', null],
  ['file to be had', 40],
] as const) {
  test(`a disk without ${what} changes nothing in how programs are kept apart`, {
    skip: NO_SMALL_DISK,
  }, async () => {
    using disk = new SmallDisk(1024 ** 2, files);
    const place = {
      directory: join(disk.path, 'work'),
      openDirectory: join(disk.path, 'open'),
      hidden: [],
      searchPath: process.env.PATH ?? '',
      tag: 'test',
      claimsDirectory: join(disk.path, 'uids'),
    };
    const options = { runAs: rangeOf(2), sandboxNetwork: false, limits: UNLIMITED };
    const described = async (sandbox: IsolationOptions['sandbox']) => {
      const ports = { clock: systemClock, logger: silentLogger };
      await using isolator = await openIsolation({ ...options, sandbox }, place, ports);
      return { ...isolator.describe(null), notes: isolator.notes };
    };
    const before = [await described('auto'), await described('off')];
    disk.fill();
    assert.deepEqual([await described('auto'), await described('off')], before);
  });
}

describe('the sandbox', () => {
  test('is refused at the start when it is asked for and does not work', async () => {
    await assert.rejects(
      bench({ sandbox: 'on' }, { searchPath: '/nowhere' }),
      /--sandbox on: bubblewrap is not/,
    );
    await using without = await bench({ sandbox: 'auto' }, { searchPath: '/nowhere' });
    const report = await without.run('console.log(1)');
    assert.deepEqual([report.stdout, report.result?.isolation?.sandbox], ['1\n', 'none']);
  });

  for (const runAs of IS_ROOT ? ['nobody', 'root'] : [null]) {
    describe(`of ${runAs ?? "the node's user"}`, { skip: NO_SANDBOX }, () => {
      test('reaches no network, not even what listens on this machine', async () => {
        const server = createServer((socket) => socket.end('reached'));
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
        const address = server.address();
        const port = typeof address === 'object' && address !== null ? address.port : 0;
        const source = `const s = require('node:net').connect(${port}, '127.0.0.1');
          s.on('data', (d) => console.log(String(d))).on('error', (e) => console.log(e.code));`;
        try {
          await using worker = await bench({ runAs, sandbox: 'on' });
          const report = await worker.run(source);
          assert.match(report.stdout, /^E(CONNREFUSED|NETUNREACH)\n$/, report.stderr);
          assert.equal(report.result?.isolation?.network, false);
          await using open = await bench({ runAs, sandbox: 'on', sandboxNetwork: true });
          assert.equal((await open.run(source)).stdout, 'reached\n');
        } finally {
          server.close();
        }
      });

      test('shows nothing of the machine but the system, read-only', async () => {
        const worker = await bench({ runAs, sandbox: 'on' });
        await using _ = worker;
        const secret = join(worker.directory, 'secret');
        await writeFile(secret, 'secret', { mode: 0o644 });
        const source = `cat ${secret}; ls ${worker.directory} ${worker.directory}/work /tmp; ls /proc | grep -c '^[0-9]';
          touch /usr/x /etc/x; id -u; grep -E '^(CapEff|NoNew)' /proc/self/status; pwd; touch "$PWD/mine" && ls`;
        const report = await worker.run(source, { command: 'sh', fileName: 'f' });
        const uid = runAs === 'nobody' ? 65534 : process.geteuid?.();
        const directory = join(worker.directory, 'work', `${report.runId}-1`);
        const lines = report.stdout.split('\n');
        assert.equal(report.stdout.includes('secret'), false);
        assert.ok(lines.includes(String(uid)), report.stdout);
        assert.ok(lines.includes('CapEff:\t0000000000000000'), report.stdout);
        assert.ok(lines.includes('NoNewPrivs:\t1'));
        assert.deepEqual(lines.slice(-4), [directory, 'f', 'mine', ''], report.stderr);
        assert.match(report.stderr, /'\/usr\/x': (Read-only|Permission)/);
        assert.equal(report.result?.isolation?.sandbox, 'bubblewrap');
      });

      test('starts programs outside the system directories', async () => {
        await using worker = await bench({ runAs, sandbox: 'on' });
        assert.equal((await worker.run('console.log(1)', { command: process.execPath })).stdout, '1\n');
        const report = await worker.run('#!/usr/bin/env node\nconsole.log(2)', {
          command: './task',
          fileName: 'task',
        });
        assert.equal(report.stdout, '2\n', report.stderr);
      });

      test('tells exit statuses and signals as without', async () => {
        await using worker = await bench({ runAs, sandbox: 'on' });
        for (const [source, status, signal] of [
          ['exit 3', 3, null],
          ['exit 255', 255, null],
          ['kill -SEGV $$', 139, 'SIGSEGV'],
          ['kill -KILL $$', 137, 'SIGKILL'],
        ] as const) {
          const { result } = await worker.run(source, { command: 'sh' });
          assert.deepEqual([result?.exitStatus, result?.signal], [status, signal], source);
        }
      });

      test('ends with everything in it', async () => {
        await using worker = await bench({ runAs, sandbox: 'on' });
        const runId = await worker.start(
          'setsid env -i sleep 987654 & (sleep 987654 &) ; echo up; sleep 987654',
          {
            command: 'sh',
          },
        );
        await worker.written(runId, 'up');
        worker.worker.cancel(runId, 1);
        assert.equal((await worker.reported(runId)).state, 'cancelled');
        await worker.assertNothingLeft(runId);
        assert.equal(spawnSync('pgrep', ['-f', 'sleep 987654']).stdout.toString(), '');
        const limited = await worker.run('sleep 1000 & sleep 1000', { command: 'sh', timeLimitMs: 200 });
        assert.equal(limited.state, 'timed_out');
      });
    });
  }
});
