/** Runs that attack each other, on one machine and without a sandbox: nothing but their users keeps them apart. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, lstat, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../../../node/adapters.ts';
import { listProcesses, readOwner } from '../../../../node/procfs.ts';
import { UNLIMITED } from '../../../../node/worker/isolation/types.ts';
import { CLAIMS_DIRECTORY } from '../../../../node/worker/isolation/uid-claims.ts';
import type { UidRange } from '../../../../node/worker/isolation/uid-range.ts';
import { ProcessLauncher } from '../../../../node/worker/process-launcher.ts';
import { CachegrindProfiler } from '../../../../node/worker/profilers/cachegrind.ts';
import type { Instrument } from '../../../../node/worker/profilers/types.ts';
import { tagOf } from '../../../../node/worker/work-directory.ts';
import { fail } from '../../../../protocols/schema/outcome.ts';
import { dispatchOf } from '../../../builders/nouns.ts';
import { eventually } from '../../../support/eventually.ts';
import { silentLogger } from '../../../support/silent-logger.ts';
import { isAlive, LaunchBench, type LaunchBenchOptions } from '../launch-bench.ts';
import { NEEDS_ROOT, rangeOf } from './machine.ts';

const python = { command: '/usr/bin/python3' };
const shell = { command: 'sh' };

const bench = (range: UidRange, more: LaunchBenchOptions & { readonly processes?: number } = {}) => {
  const { processes = null, ...options } = more;
  return LaunchBench.create({ isolation: { runAs: range, limits: { ...UNLIMITED, processes } }, ...options });
};

/** Does to the process and the directory of a neighbour all that one may do to one's own. */
const ATTACK = `import ctypes, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
pid, directory = int(sys.argv[1]), sys.argv[2]
def attempt(what, deed):
    try:
        deed()
        print('DONE', what)
    except OSError as error:
        print('refused', what, error.errno)
def call(result):
    if result == -1: raise OSError(ctypes.get_errno(), 'refused')
def read(path): return open(path, 'rb').read(1)
def peek():
    part = ctypes.create_string_buffer(8)
    iov = (ctypes.c_size_t * 2)(ctypes.addressof(part), 8)
    call(libc.process_vm_readv(pid, iov, 1, iov, 1, 0))
for name in ('environ', 'mem', 'maps', 'io', 'fd/0'): attempt(name, lambda: read(f'/proc/{pid}/{name}'))
attempt('output', lambda: open(f'/proc/{pid}/fd/1', 'w').write('forged'))
attempt('cwd', lambda: os.listdir(f'/proc/{pid}/cwd'))
attempt('list', lambda: os.listdir(directory))
attempt('read', lambda: read(directory + '/secret'))
attempt('write', lambda: open(directory + '/forged', 'w'))
attempt('remove', lambda: os.unlink(directory + '/secret'))
attempt('limit', lambda: __import__('resource').prlimit(pid, 7, (8, 8)))
attempt('trace', lambda: call(libc.ptrace(16, pid, 0, 0)))
attempt('peek', peek)
attempt('stop', lambda: os.kill(pid, signal.SIGSTOP))
attempt('kill', lambda: os.kill(pid, signal.SIGKILL))
`;

describe('users that runs have as their own', { skip: NEEDS_ROOT }, () => {
  test('keep neighbours from reading, writing, tracing and killing each other', async () => {
    await using worker = await bench(rangeOf(2));
    const victim = await worker.start('', {
      command: 'sh -c \'echo secret > secret; mkfifo fifo; echo "$$ $PWD"; read end < fifo; echo alive\'',
    });
    const [pid = '', directory = ''] = (await worker.written(victim, '\n')).trim().split(' ');
    assert.ok(existsSync(join(directory, 'secret')));
    const attack = await worker.run(ATTACK, { command: `sh -c '/usr/bin/python3 "$0" ${pid} ${directory}'` });
    assert.equal(attack.state, 'succeeded', attack.stderr);
    const lines = attack.stdout.trim().split('\n');
    assert.equal(lines.length, 16, attack.stdout);
    assert.deepEqual(
      lines.filter((line) => !/^refused \S+ (1|13)$/.test(line)),
      [],
    );
    spawnSync('sh', ['-c', `echo > ${join(directory, 'fifo')}`]);
    const report = await worker.reported(victim);
    assert.equal(report.state, 'succeeded');
    assert.match(Buffer.from(report.result?.stdout.bytes ?? []).toString(), /^\d+ \S+\nalive\n$/);
    assert.notEqual(report.result?.isolation?.user, attack.result?.isolation?.user);
    assert.equal(report.result?.isolation?.ownUser, true);
  });

  test('have a group of their own, and nothing more', async () => {
    const range = rangeOf(1);
    await using worker = await bench(range);
    const { stdout } = await worker.run(
      'id -u; id -g; id -G; grep -E "^(CapEff|NoNew)" /proc/self/status',
      shell,
    );
    assert.equal(stdout, `${`${range.first}\n`.repeat(3)}CapEff:\t0000000000000000\nNoNewPrivs:\t1\n`);
  });

  test('leave nothing: no process that hid, no file or memory that outlives processes', async () => {
    const range = rangeOf(1);
    await using worker = await bench(range);
    const name = `fsched-left-${range.first}`;
    const source = `import ctypes, os, stat, time
for place in ('/tmp', '/var/tmp', '/dev/shm'):
    os.makedirs(f'{place}/${name}/deep/er')
    open(f'{place}/${name}/deep/er/file', 'w').write('x')
    os.chmod(f'{place}/${name}/deep/er', 0)
    os.chmod(f'{place}/${name}/deep', 0)
libc = ctypes.CDLL(None)
print(libc.shmget(0, 4096, 0o1600), libc.msgget(0, 0o1600), libc.semget(0, 1, 0o1600))
# Another process before anybody can look, for ever; without marks, session, parent or place.
if os.fork() == 0:
    os.setsid()
    if os.fork() > 0: os._exit(0)
    os.execve('/usr/bin/python3', ['python3', '-c', '''import os
os.chdir('/')
os.open('/tmp/${name}/runs', os.O_CREAT)
for fd in range(3): os.close(fd)
while True:
    if os.fork() > 0: os._exit(0)'''], {})
while not os.path.exists('/tmp/${name}/runs'): time.sleep(0.001)`;
    const report = await worker.run(source, python);
    assert.equal(report.state, 'succeeded', report.stderr);
    await eventually(
      'its user is given back',
      () => !readdirSync(CLAIMS_DIRECTORY).includes(`${range.first}`),
    );
    const { entries = [] } = (await listProcesses(0)) ?? {};
    assert.deepEqual(
      entries.filter(({ alive, pid }) => alive && readOwner(pid) === range.first),
      [],
    );
    for (const place of ['/tmp', '/var/tmp', '/dev/shm']) {
      await assert.rejects(lstat(join(place, name)), { code: 'ENOENT' });
    }
    const ipc = spawnSync('sh', ['-c', 'cat /proc/sysvipc/*'], { encoding: 'utf8' }).stdout;
    assert.equal(ipc.includes(` ${range.first} `), false, ipc);
  });

  test('leave nothing of what a profiler keeps for them, wherever they put it', async () => {
    const profiler = new CachegrindProfiler({ searchPath: '' });
    const measure = { profiler: 'cachegrind', ways: 1, wayBytes: 65_536 } as const;
    const own = profiler.instrument(measure);
    const seen: string[] = [];
    const instrument: Instrument = {
      wrap: async (command, directory, owner) => {
        await own.wrap(command, directory, owner);
        const { uid, mode } = await lstat(join(directory, '.fsched-cachegrind'));
        seen.push(`${uid} ${(mode & 0o777).toString(8)}`);
        return command;
      },
      collect: async () => {},
      reading: () => fail('it measures nothing'),
    };
    const range = rangeOf(1);
    await using worker = await bench(range, { instrument });
    const place = `/tmp/fsched-moved-${range.first}`;
    try {
      const report = await worker.run(`mv .fsched-cachegrind ${place} && ls -d ${place}`, {
        ...shell,
        measure,
      });
      assert.equal(report.stdout, `${place}\n`, report.stderr);
      assert.deepEqual(seen, [`${range.first} 700`]);
      await eventually(
        'its user is given back',
        () => !readdirSync(CLAIMS_DIRECTORY).includes(`${range.first}`),
      );
      assert.equal(existsSync(place), false);
    } finally {
      await rm(place, { recursive: true, force: true });
    }
  });

  test('have each its own limit of processes', async () => {
    await using worker = await bench(rangeOf(2), { processes: 20 });
    const greedy = (after: string) => `import os, time
count = 0
try:
    while True:
        if os.fork() == 0: time.sleep(1000)
        count += 1
except OSError as error: print(count, error.errno, flush=True)
${after}`;
    const first = await worker.start(greedy('time.sleep(1000)'), python);
    assert.equal(await worker.written(first, '\n'), '19 11\n');
    const second = await worker.run(greedy(''), python);
    assert.equal(second.stdout, '19 11\n', 'what a neighbour has does not count');
    worker.worker.cancel(first, 1);
    await worker.reported(first);
  });

  test('are refused when all are in use, and had again when the run is over', async () => {
    await using worker = await bench(rangeOf(1));
    const first = await worker.start('', { command: "sh -c 'echo up; sleep 1000'" });
    await worker.written(first, 'up');
    const refused = await worker.worker.dispatch(
      dispatchOf({ runId: 'other', domain: worker.domain.id, ways: 1, command: 'sh' }),
    );
    assert.deepEqual(refused, {
      ok: false,
      error: { code: 'FULL', message: 'all users of --run-uids are in use on this node' },
    });
    worker.worker.cancel(first, 1);
    await worker.reported(first);
    await eventually(
      'it is gone',
      () => worker.worker.held().length === 0 && worker.worker.capacity().runs.length === 0,
    );
    assert.equal((await worker.run('echo fine', shell)).stdout, 'fine\n');
  });

  test('are refused at the start where somebody has one', async () => {
    await assert.rejects(
      bench({ first: 65_530, last: 65_534 }),
      /the user "nobody" \(65534\).*--run-uids FIRST-LAST/,
    );
  });

  test('of two daemons are never the same', async () => {
    const range = rangeOf(2);
    await using one = await bench(range);
    await using two = await bench(range);
    const runs = [one, two].map(async (worker) => {
      const runId = await worker.start('', { command: "sh -c 'id -u; sleep 1000'" });
      return { worker, runId, user: Number(await worker.written(runId, '\n')) };
    });
    const [a, b] = await Promise.all(runs);
    assert.deepEqual([a?.user, b?.user].sort(), [range.first, range.last]);
    for (const run of [a, b]) run?.worker.worker.cancel(run.runId, 1);
  });

  test('of a daemon that was killed are swept at the next start of any', async () => {
    const range = rangeOf(1);
    const directory = await mkdtemp(join(tmpdir(), 'fsched-crash-'));
    const elsewhere = await mkdtemp(join(tmpdir(), 'fsched-crash-'));
    const memory = `/dev/shm/fsched-${tagOf(join(directory, 'work'))}`;
    const runId = `crash${randomBytes(6).toString('hex')}`;
    const host = spawn(
      process.execPath,
      [fileURLToPath(new URL('../crash-host.ts', import.meta.url)), directory, runId, JSON.stringify(range)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    try {
      for (const each of [directory, elsewhere]) await chmod(each, 0o711);
      const [line] = await once(host.stdout, 'data');
      const survivor = Number(line);
      host.kill('SIGKILL');
      await once(host, 'exit');
      assert.ok(isAlive(survivor));
      const secret = join(memory, `${runId}-1`, 'SECRET');
      assert.equal((await lstat(secret)).uid, range.first);
      assert.equal((await lstat(join(directory, 'work', `${runId}-1`))).uid, range.first);
      const launcher = new ProcessLauncher(
        {
          directory: join(elsewhere, 'work'),
          searchPath: process.env.PATH ?? '',
          isolation: { runAs: range, sandbox: 'off', sandboxNetwork: false, limits: UNLIMITED },
        },
        { clock: systemClock, logger: silentLogger },
      );
      await launcher.start();
      assert.equal(isAlive(survivor), false);
      await assert.rejects(lstat(join(directory, 'work', `${runId}-1`)), { code: 'ENOENT' });
      // Whoever gets the user next could read it.
      assert.equal(existsSync(secret), false);
      const lent = await launcher.lendUser('next', 1);
      assert.equal(lent.ok && lent.value.user.uid, range.first);
      if (lent.ok) await lent.value.release();
      await launcher.stop();
    } finally {
      host.kill('SIGKILL');
      for (const each of [directory, elsewhere, memory]) await rm(each, { recursive: true, force: true });
    }
  });
});
