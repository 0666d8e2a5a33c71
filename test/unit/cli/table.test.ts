import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import displayWidth from 'string-width';
import { formatPairs, formatTable, truncate } from '../../../cli/table.ts';
import { printable } from '../../../protocols/schema/text.ts';

describe('display width', () => {
  test('counts columns, not characters', () => {
    assert.equal(displayWidth('abc'), 3);
    assert.equal(displayWidth('日本'), 4);
    assert.equal(displayWidth('e\u0301'), 1);
    assert.equal(displayWidth('👩‍👩‍👧'), 2);
    assert.equal(displayWidth('ﾊﾝ'), 2);
  });

  test('cuts names at their end and ids in their middle', () => {
    assert.equal(truncate('abcdefgh', 5, 'end'), 'abcd…');
    assert.equal(truncate('abcdefgh', 5, 'middle'), 'ab…gh');
    assert.equal(truncate('日本日本', 5, 'end'), '日本…');
    assert.equal(truncate('abc', 3, 'end'), 'abc');
  });

  test('never cuts to more than the width', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }),
        fc.nat(20),
        fc.constantFrom('end' as const, 'middle' as const),
        (text, width, where) => displayWidth(truncate(text, width, where)) <= width,
      ),
    );
  });

  test('shows what would move the cursor', () => {
    assert.equal(printable('a\u001b[31mb\r\u202e'), 'a�[31mb��');
  });
});

describe('table', () => {
  const columns = [
    { title: 'NAME', value: (row: string) => row, cut: 'end' as const },
    { title: 'ID', value: (row: string) => row.repeat(20), cut: 'middle' as const },
    { title: 'N', value: () => '7', align: 'right' as const },
  ];

  test('fits 80 columns, and takes from the widest column first', () => {
    const lines = formatTable(['alpha', 'a-rather-long-name'], columns);
    assert.ok(lines.every((line) => displayWidth(line) <= 80));
    assert.match(lines[1] ?? '', /^alpha {15}alpha.*…/);
    assert.ok(lines[2]?.startsWith('a-rather-long-name  '));
    assert.ok(lines[2]?.endsWith('  7'));
  });

  test('aligns what follows wide characters', () => {
    const [, first, second] = formatTable(['日本', 'ab'], columns.slice(0, 1).concat(columns.slice(2)));
    assert.equal(displayWidth(first ?? ''), displayWidth(second ?? ''));
  });

  test('fits 80 columns whatever the cells are', () => {
    const cell = fc.string({ unit: 'grapheme', maxLength: 200 });
    fc.assert(
      fc.property(fc.array(cell, { maxLength: 4 }), (rows) =>
        formatTable(rows, columns).every((line) => displayWidth(line) <= 80),
      ),
    );
  });

  test('wraps the values of pairs at words', () => {
    const lines = formatPairs([
      ['health', 'degraded; '.repeat(12).trim()],
      ['id', 'x'.repeat(90)],
    ]);
    assert.equal(lines.length, 3);
    assert.match(lines[1] ?? '', /^ {8}degraded/);
    assert.equal(lines[2], `id      ${'x'.repeat(90)}`);
  });
});
