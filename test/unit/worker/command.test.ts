import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { quote } from 'shell-quote';
import { resolveProgram, splitCommand } from '../../../node/worker/command.ts';

describe('splitCommand', () => {
  test('splits like a shell', () => {
    const cases: [string, string[]][] = [
      ['python3', ['python3']],
      ['  node   --max-old-space-size=64 ', ['node', '--max-old-space-size=64']],
      [`sh -c 'echo "a b" | cat; ls *'`, ['sh', '-c', 'echo "a b" | cat; ls *']],
      ['"my program" a\\ b ""', ['my program', 'a b', '']],
      [`awk '{print $1}' "cost: 5$"`, ['awk', '{print $1}', 'cost: 5$']],
      [`ls \\*.txt a\\? "\\*" '?'`, ['ls', '*.txt', 'a?', '\\*', '?']],
      ['./größe ~x', ['./größe', '~x']],
    ];
    for (const [text, words] of cases) assert.deepEqual(splitCommand(text), { ok: true, value: words }, text);
  });

  test('gives back every quoted word as it was', () => {
    const word = fc.string({ unit: 'binary' }).filter((text) => !/\p{Cc}/u.test(text) && text.isWellFormed());
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 4 }), (args) => {
        assert.deepEqual(splitCommand(quote(['run', ...args])), { ok: true, value: ['run', ...args] });
      }),
    );
  });

  test('refuses what only a shell could do, and says what to do instead', () => {
    const cases: [string, RegExp][] = [
      ['', /empty; write the program/],
      ['   ', /empty/],
      ['""', /empty/],
      ['python3; rm -rf x', /operator ";".*put a script/],
      ['a | b', /operator "\|"/],
      ['a && b', /operator "&&"/],
      ['a > out', /operator ">"/],
      ['a &', /operator "&"/],
      ['a (b)', /operator "\("/],
      ['ls *.txt', /pattern \(\*\.txt\)/],
      ['ls a?', /pattern/],
      ['echo $HOME', /variable \(\$HOME\)/],
      [`echo "\${HOME}"`, /variable/],
      [`echo \${}`, /variable/],
      ['echo `id`', /backtick/],
      ['python3 # comment', /comment/],
      ['python3 "a', /never closed/],
      ["python3 'a", /never closed/],
      ['python3 \\', /backslash/],
      ['a\nb', /control characters/],
      ['a\0b', /control characters/],
      ['a\tb', /control characters/],
      ['a\u0085b', /control characters/],
      ['x'.repeat(9000), /longer than/],
    ];
    for (const [text, message] of cases) {
      const outcome = splitCommand(text);
      assert.ok(!outcome.ok, text);
      assert.equal(outcome.error.code, 'BAD_COMMAND');
      assert.match(outcome.error.message, message);
    }
  });
});

describe('resolveProgram', () => {
  test('finds programs in PATH and in the working directory, and tells why not', async () => {
    const root = await mkdtemp(join(tmpdir(), 'fsched-path-'));
    try {
      await mkdir(join(root, 'one/both'), { recursive: true });
      await mkdir(join(root, 'two'));
      for (const [name, mode] of [
        ['one/plain', 0o644],
        ['two/plain', 0o755],
        ['two/both', 0o755],
        ['two/locked', 0o600],
      ] as const) {
        await writeFile(join(root, name), '');
        await chmod(join(root, name), mode);
      }
      const path = `relative::${join(root, 'one')}:${join(root, 'two')}:/nowhere`;
      const find = (name: string) => resolveProgram(name, path, root);
      assert.deepEqual(await find('plain'), { ok: true, value: join(root, 'two/plain') });
      assert.deepEqual(await find('both'), { ok: true, value: join(root, 'two/both') }, 'no directory');
      assert.deepEqual(await find('./two/both'), { ok: true, value: join(root, 'two/both') });
      const failures: [string, string, RegExp][] = [
        ['none', 'NOT_FOUND', /"none" was not found in the PATH.*install it/],
        ['./none', 'NOT_FOUND', /does not exist/],
        ['two/locked', 'NOT_EXECUTABLE', /not executable; make it so/],
      ];
      for (const [name, code, message] of failures) {
        const outcome = await find(name);
        assert.equal(!outcome.ok && outcome.error.code, code);
        assert.match(outcome.ok ? '' : outcome.error.message, message);
      }
    } finally {
      await rm(root, { recursive: true });
    }
  });
});
