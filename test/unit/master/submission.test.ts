import assert from 'node:assert/strict';
import { test } from 'node:test';
import { functionNameOf, inputSizeOf, interpreterOf, shebangOf } from '../../../node/master/submission.ts';

test('a function is named after its file, without the extension', () => {
  assert.equal(functionNameOf('page_rank.py'), 'page_rank');
  assert.equal(functionNameOf('archive.tar.gz'), 'archive.tar');
  assert.equal(functionNameOf('Makefile'), 'Makefile');
  assert.equal(functionNameOf('.profile'), '.profile');
});

test('a command comes from the extension or from the #! line', () => {
  assert.equal(interpreterOf('a.PY'), 'python3');
  assert.equal(interpreterOf('a.bin'), null);
  const shebang = (text: string): string | null => shebangOf(new TextEncoder().encode(text));
  assert.equal(shebang('#!/usr/bin/env python3\nprint()'), 'python3');
  assert.equal(shebang('#!/usr/bin/env -S node --no-warnings\n'), 'node --no-warnings');
  assert.equal(shebang('#! /bin/sh -e\r\n'), '/bin/sh -e');
  assert.equal(shebang('print()'), null);
  assert.equal(shebang('#!\n'), null);
});

test('the input size is what the parameters say, else their bytes', () => {
  assert.equal(inputSizeOf({ input_size: 12 }, '{"input_size":12}'), 12);
  assert.equal(inputSizeOf({ input_size: '12' }, ''), 12);
  for (const size of [-1, 0.5, 1e300, 'x', '', null, [1]])
    assert.equal(inputSizeOf({ input_size: size }, ''), null);
  assert.equal(inputSizeOf({ a: 'ä' }, '{"a":"ä"}'), 10);
  assert.equal(inputSizeOf(undefined, null), 0);
});
