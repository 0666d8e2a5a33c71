import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { assemble, type Statement } from '../../../../node/worker/isolation/seccomp/bpf.ts';
import {
  type Architecture,
  JUDGED_CALLS,
  LAST_CALL,
  REFUSED_CALLS,
} from '../../../../node/worker/isolation/seccomp/calls.ts';
import { filterFor } from '../../../../node/worker/isolation/seccomp/filter.ts';
import { judge } from '../../../support/bpf.ts';

const done: Statement = { kind: 'return', value: 0x7fff_0000 };
const DONE = [0x06, 0, 0, 0, 0, 0, 0xff, 0x7f];
const bytesOf = (...statements: Statement[]) => [...assemble(statements)];

describe('the assembler', () => {
  const instructions: [Statement, number[]][] = [
    [{ kind: 'load', offset: 16 }, [0x20, 0, 0, 0, 16, 0, 0, 0]],
    [{ kind: 'equal', value: 0xc000_003e, to: 'end' }, [0x15, 0, 0, 0, 0x3e, 0, 0, 0xc0]],
    [{ kind: 'above', value: 469, to: 'end' }, [0x25, 0, 0, 0, 0xd5, 0x01, 0, 0]],
    [{ kind: 'anyBit', value: 0x7e02_0000, to: 'end' }, [0x45, 0, 0, 0, 0, 0, 0x02, 0x7e]],
    [{ kind: 'goto', to: 'end' }, [0x05, 0, 0, 0, 0, 0, 0, 0]],
    [{ kind: 'return', value: 0x0005_0001 }, [0x06, 0, 0, 0, 1, 0, 5, 0]],
  ];
  for (const [statement, bytes] of instructions) {
    test(`encodes ${statement.kind} as linux/filter.h says`, () => {
      assert.deepEqual(bytesOf(statement, { kind: 'label', name: 'end' }, done), [...bytes, ...DONE]);
    });
  }

  test('counts jumps in instructions from the next one, and labels as none', () => {
    const to = 'far';
    const program = bytesOf(
      { kind: 'equal', value: 7, to },
      { kind: 'label', name: 'near' },
      { kind: 'goto', to },
      done,
      { kind: 'label', name: 'far' },
      done,
    );
    assert.deepEqual(program, [0x15, 0, 2, 0, 7, 0, 0, 0, 0x05, 0, 0, 0, 1, 0, 0, 0, ...DONE, ...DONE]);
  });

  test('refuses jumps that lead nowhere, back or too far, and two places of one name', () => {
    const jump: Statement = { kind: 'equal', value: 0, to: 'there' };
    const there: Statement = { kind: 'label', name: 'there' };
    assert.throws(() => assemble([jump, done]), /no way leads to there/);
    assert.throws(() => assemble([there, jump, done]), /no way leads to there/);
    assert.throws(() => assemble([there, done, there]), /two places are called there/);
    const between = (count: number) => [jump, ...Array.from({ length: count }, () => done), there, done];
    assert.equal(assemble(between(255))[2], 255);
    assert.throws(() => assemble(between(256)), /a jump over 256/);
    assert.throws(() => assemble(Array.from({ length: 4097 }, () => done)), /more than 4096/);
  });
});

const ALLOWED = 0x7fff_0000;
const refused = (errno: number) => 0x0005_0000 | errno;
const [EPERM, ENOSYS, EAFNOSUPPORT] = [refused(1), refused(38), refused(97)];
const AUDIT = { x64: 0xc000_003e, arm64: 0xc000_00b7 } as const;
/** read, write, openat, execve, exit_group, futex, mmap, kill, prlimit64, memfd_create. */
const USUAL = {
  x64: [0, 1, 257, 59, 231, 202, 9, 62, 302, 319],
  arm64: [63, 64, 56, 221, 94, 98, 222, 129, 261, 279],
} as const;

for (const architecture of ['x64', 'arm64'] as const satisfies Architecture[]) {
  describe(`the filter of ${architecture}`, () => {
    const program = filterFor(architecture) ?? new Uint8Array();
    const verdict = (number: number, first = 0) =>
      judge(program, { number, first, architecture: AUDIT[architecture] });

    test('refuses each call of the list, and no usual one', () => {
      for (const [name, call] of Object.entries(REFUSED_CALLS)) {
        const number = call[architecture];
        if (number !== null) assert.equal(verdict(number), EPERM, name);
      }
      for (const number of USUAL[architecture]) assert.equal(verdict(number), ALLOWED, String(number));
    });

    test('lets processes and threads be made, but no namespaces', () => {
      const { clone, clone3, unshare } = JUDGED_CALLS;
      const [SIGCHLD, THREAD, FILES] = [17, 0x3d_0f00, 0x400];
      for (const flags of [SIGCHLD, THREAD]) assert.equal(verdict(clone[architecture], flags), ALLOWED);
      assert.equal(verdict(unshare[architecture], FILES), ALLOWED);
      for (const space of [
        0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000,
      ]) {
        assert.equal(verdict(clone[architecture], space | SIGCHLD), EPERM, space.toString(16));
        assert.equal(verdict(unshare[architecture], space), EPERM, space.toString(16));
      }
      assert.equal(verdict(unshare[architecture], 0x80), EPERM, 'of time');
      assert.equal(verdict(clone3[architecture]), ENOSYS, 'libraries then take clone');
    });

    test('knows sockets of four families, and one personality', () => {
      const { socket, personality } = JUDGED_CALLS;
      for (const family of [1, 2, 10, 16]) assert.equal(verdict(socket[architecture], family), ALLOWED);
      for (const family of [0, 3, 17, 38, 40, 44])
        assert.equal(verdict(socket[architecture], family), EAFNOSUPPORT);
      for (const persona of [0, 0xffff_ffff])
        assert.equal(verdict(personality[architecture], persona), ALLOWED);
      for (const persona of [8, 0x4_0000, 0x10_0000])
        assert.equal(verdict(personality[architecture], persona), EPERM);
    });

    test('has never heard of newer calls and those of x32, and ends programs of another architecture', () => {
      assert.equal(verdict(LAST_CALL), ALLOWED);
      for (const number of [LAST_CALL + 1, 0x4000_0000, 0x4000_0065, 0xffff_ffff]) {
        assert.equal(verdict(number), ENOSYS, String(number));
      }
      for (const other of [0x4000_0003, 0x4000_0028, AUDIT[architecture === 'x64' ? 'arm64' : 'x64']]) {
        assert.equal(judge(program, { number: 0, first: 0, architecture: other }), 0x8000_0000);
      }
    });
  });
}

test('there is no filter for other architectures', () => {
  assert.equal(filterFor('riscv64'), null);
});

for (const [architecture, path] of [
  ['x64', '/usr/include/x86_64-linux-gnu/asm/unistd_64.h'],
  ['arm64', '/usr/include/asm-generic/unistd.h'],
] as const) {
  test(`the numbers of ${architecture} are the kernel's`, {
    skip: !existsSync(path) && 'linux-libc-dev is not installed',
  }, () => {
    const text = readFileSync(path, 'utf8');
    const numbers = new Map(
      [...text.matchAll(/#define __NR(?:3264)?_(\w+)\s+(\d+)/g)].map((found) => [found[1], Number(found[2])]),
    );
    const last = Math.max(...numbers.values());
    let compared = 0;
    for (const [name, call] of Object.entries({ ...REFUSED_CALLS, ...JUDGED_CALLS })) {
      const number: number | null = call[architecture];
      // Headers may be older than the call.
      if (number !== null && number > last) continue;
      assert.equal(numbers.get(name) ?? null, number, name);
      compared++;
    }
    assert.ok(compared > 50);
  });
}
