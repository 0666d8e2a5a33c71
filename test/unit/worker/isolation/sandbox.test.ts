/** What programs try against the sandbox and the filter of system calls, and what they must go on being able to do. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, test } from 'node:test';
import { REFUSED_CALLS } from '../../../../node/worker/isolation/seccomp/calls.ts';
import { type IsolationOptions, UNLIMITED } from '../../../../node/worker/isolation/types.ts';
import { CachegrindProfiler } from '../../../../node/worker/profilers/cachegrind.ts';
import { LaunchBench, type LaunchBenchOptions } from '../launch-bench.ts';
import { NEEDS_ROOT, NO_SANDBOX, rangeOf } from './machine.ts';

const python = { command: '/usr/bin/python3' };
/** Nothing that the sandbox shows lies where programs write by habit. */
const system = { searchPath: '/usr/bin:/bin', base: '/var/tmp' };
const architecture = process.arch === 'x64' || process.arch === 'arm64' ? process.arch : null;
const NO_FILTER = architecture === null && 'there is no filter for this architecture';

/** Makes system calls by number, and tells the errors. */
const CALLS = `import ctypes, json, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *args):
    ctypes.set_errno(0)
    result = libc.syscall(number, *(ctypes.c_long(arg) for arg in args))
    return 0 if result >= 0 else ctypes.get_errno()
`;

const users: [string, IsolationOptions['runAs']][] =
  NEEDS_ROOT === false
    ? [
        ['a user of its own', rangeOf(4)],
        ['root', 'root'],
      ]
    : [["the node's user", null]];

for (const [name, runAs] of users) {
  const bench = (options: LaunchBenchOptions = {}) => {
    const isolation = { runAs, sandbox: 'on', ...options.isolation } as const;
    return LaunchBench.create({ ...options, isolation });
  };

  describe(`the sandbox of ${name}`, { skip: NO_SANDBOX }, () => {
    test('refuses the system calls of the list', { skip: NO_FILTER }, async () => {
      await using worker = await bench();
      const numbers = Object.entries(REFUSED_CALLS).flatMap(([call, of]) => {
        const number = architecture && of[architecture];
        return number === null ? [] : [[call, number]];
      });
      const source = `${CALLS}print(json.dumps({name: call(number) for name, number in ${JSON.stringify(numbers)}}))`;
      const report = await worker.run(source, python);
      const errors: Record<string, number> = JSON.parse(report.stdout);
      assert.deepEqual(
        Object.entries(errors).filter(([, errno]) => errno !== 1),
        [],
      );
      assert.equal(Object.keys(errors).length, numbers.length);
      assert.equal(report.result?.isolation?.seccomp, true);
    });

    test('gives no namespaces, tracing, or sockets to the host of a virtual machine', {
      skip: NO_FILTER,
    }, async () => {
      await using worker = await bench();
      const source = `import os, socket, subprocess
libc = __import__('ctypes').CDLL(None, use_errno=True)
errno = __import__('ctypes').get_errno
for flags in (0x10000000, 0x20000, 0x10020000, 0x80):
    print('unshare', libc.unshare(flags), errno())
    print('clone', libc.syscall(${architecture === 'x64' ? 56 : 220}, flags & ~0x80 | 0x10000000 | 17, 0, 0, 0, 0), errno())
print('clone3', libc.syscall(435, 0, 0), errno())
print('trace', libc.ptrace(0, 0, 0, 0), errno())
try: print('vsock', socket.socket(40, 1))
except OSError as error: print('vsock', error.errno)
print('unshare(1)', subprocess.run(['unshare', '--user', '--map-root-user', 'id', '-u'], capture_output=True).returncode != 0)`;
      const { stdout, stderr } = await worker.run(source, python);
      const spaces = 'unshare -1 1\nclone -1 1\n'.repeat(4);
      assert.equal(stdout, `${spaces}clone3 -1 38\ntrace -1 1\nvsock 97\nunshare(1) True\n`, stderr);
    });

    test('has nothing in memory that can be written: what a run writes is its directory', async () => {
      await using worker = await bench(system);
      // The attack: far more than the memory that it may have.
      const source = `import os
def spots(top):
    yield top
    try: entries = list(os.scandir(top))
    except OSError: return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False): yield from spots(entry.path)
own = os.stat('.').st_dev
for line in open('/proc/self/mounts'):
    place, kind = line.split()[1:3]
    if kind not in ('tmpfs', 'devtmpfs', 'ramfs'): continue
    for spot in spots(place):
        try: file = open(spot + '/fill', 'wb')
        except OSError: continue
        if os.stat(spot).st_dev == own: continue
        for _ in range(300): file.write(bytes(1 << 20))
        print('300 MiB in', spot, kind)
for place in ('/tmp', '/dev/shm'):
    open(place + '/scratch', 'w').write('x')
    print(place, os.path.samefile(place, '.'), os.path.exists('scratch'))
    os.unlink('scratch')`;
      const limits = { ...UNLIMITED, memoryBytes: 64 * 1024 ** 2 };
      await using limited = await bench({ ...system, isolation: { limits } });
      for (const each of [worker, limited]) {
        const { stdout, stderr } = await each.run(source, python);
        assert.equal(stdout, '/tmp True True\n/dev/shm True True\n', stderr);
      }
    });

    test('leaves a place alone where something lies that it shows', async () => {
      await using worker = await bench({ searchPath: '/usr/bin:/bin', base: '/tmp' });
      const report = await worker.run(
        'pwd; ls -A; ls -A /tmp | wc -l; touch /tmp/x || echo no; touch /var/tmp/y; ls -A',
        {
          command: 'sh',
          fileName: 'f',
        },
      );
      assert.match(report.stdout, /^\/tmp\/\S+\nf\n1\nno\nf\ny\n$/);
    });

    test('runs programs that fork, start threads, and share memory', async () => {
      await using worker = await bench(system);
      const source = `import multiprocessing, subprocess, tempfile, threading
def work(value):
    with value.get_lock(): value.value += 1
value = multiprocessing.Value('i', 0)
processes = [multiprocessing.Process(target=work, args=(value,)) for _ in range(3)]
for process in processes: process.start()
for process in processes: process.join()
thread = threading.Thread(target=work, args=(value,))
thread.start(); thread.join()
from multiprocessing import shared_memory
memory = shared_memory.SharedMemory(create=True, size=4096)
memory.buf[0] = 7
memory.close(); memory.unlink()
print(value.value, subprocess.run(['echo', 'child'], capture_output=True, text=True).stdout, tempfile.gettempdir() != '/tmp')`;
      const report = await worker.run(source, python);
      assert.equal(report.stdout, '4 child\n True\n', report.stderr);
    });

    test('runs node with threads and children', async () => {
      await using worker = await bench();
      const source = `const { Worker } = require('node:worker_threads');
        const { execFileSync } = require('node:child_process');
        new Worker('require("node:worker_threads").parentPort.postMessage(6 * 7)', { eval: true })
          .on('message', (m) => console.log(m, String(execFileSync('echo', ['child'])).trim()));
        require('node:fs').promises.readFile(__filename).then((b) => console.log(b.length > 9));`;
      const report = await worker.run(source);
      assert.deepEqual(report.stdout.trim().split('\n').sort(), ['42 child', 'true'], report.stderr);
    });

    const java = ['/usr/bin/java'].find((path) => existsSync(path));
    test('runs java', { skip: java === undefined && 'there is no java' }, async () => {
      await using worker = await bench({ searchPath: '/usr/bin:/bin' });
      const source = `public class Hello { public static void main(String[] a) throws Exception {
        Thread t = new Thread(() -> System.out.println("thread")); t.start(); t.join(); } }`;
      const report = await worker.run(source, { command: `${java} -Xmx64m`, fileName: 'Hello.java' });
      assert.equal(report.stdout, 'thread\n', report.stderr);
    });

    const valgrind = spawnSync('valgrind', ['--version']).status === 0;
    test('lets a program be measured by cachegrind', {
      skip: !valgrind && 'there is no valgrind',
    }, async () => {
      const profiler = new CachegrindProfiler({ searchPath: process.env.PATH ?? '' });
      await profiler.available();
      const measure = { profiler: 'cachegrind', ways: 4, wayBytes: 65_536 } as const;
      await using worker = await bench({ instrument: profiler.instrument(measure) });
      const report = await worker.run('echo measured', { command: 'sh', measure });
      assert.equal(report.stdout, 'measured\n', `${report.stderr}${report.error}`);
      assert.ok((report.result?.measurement?.counts?.iRefs ?? 0) > 1000, report.error ?? '');
    });
  });
}
