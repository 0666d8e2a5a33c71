import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeLogStream } from '../../../cli/log-stream.ts';

test('a log on a full disk loses lines, tells how many, and goes on whole', () => {
  let written = '';
  let room = 12;
  const stream = makeLogStream((bytes) => {
    if (room === 0) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    const taken = bytes.subarray(0, room);
    room -= taken.length;
    written += Buffer.from(taken).toString();
    return taken.length;
  });
  for (const line of ['{"a":1}\n', '{"b":2}\n', '{"c":3}\n']) stream.write(line);
  room = 1000;
  for (const line of ['{"d":4}\n', '{"e":5}\n']) stream.write(line);
  assert.equal(
    written,
    '{"a":1}\n{"b"\n{"level":40,"lost":2,"msg":"lines of this log were lost"}\n{"d":4}\n{"e":5}\n',
  );
});
