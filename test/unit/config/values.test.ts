import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatHostPort, parseHostPort } from '../../../node/addresses.ts';
import { formatDuration, formatSize, parseDuration, parseSize } from '../../../node/config/values.ts';

describe('values of options', () => {
  test('reads back every size that it writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 40 }), (bytes) => {
        assert.deepEqual(parseSize(0, 2 ** 40)(formatSize(bytes)), { ok: true, value: bytes });
      }),
    );
  });

  test('reads back every duration that it writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 ** 8 }), (ms) => {
        assert.deepEqual(parseDuration(0, 10 ** 8)(formatDuration(ms)), { ok: true, value: ms });
      }),
    );
  });

  test('reads back every address that it writes', () => {
    const host = fc.oneof(fc.ipV4(), fc.constantFrom('::1', 'fe80::1', '::'), fc.domain());
    fc.assert(
      fc.property(host, fc.integer({ min: 0, max: 65_535 }), (name, port) => {
        assert.deepEqual(parseHostPort(formatHostPort({ host: name, port })), {
          ok: true,
          value: { host: name, port },
        });
      }),
    );
  });

  test('knows the units', () => {
    for (const text of ['1M', '1MB', '1MiB', '1 mib', '1024k', '1048576', '0.5M']) {
      const parsed = parseSize(0, 2 ** 30)(text);
      assert.equal(parsed.ok && parsed.value, text === '0.5M' ? 2 ** 19 : 2 ** 20, text);
    }
    for (const text of ['60s', '1m', '1min', '60000', '60000ms']) {
      assert.deepEqual(parseDuration(0, 10 ** 6)(text), { ok: true, value: 60_000 }, text);
    }
  });
});
