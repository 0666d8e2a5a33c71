import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { displayWidth } from '../../../cli/display-width.ts';
import { drawExplanation } from '../../../cli/explain-plot.ts';
import { explanation } from './fixtures.ts';

test('the drawing has the band, the curve, the points, the choice and what is allowed', () => {
  assert.deepEqual(drawExplanation(explanation), [
    '  2.00 x ┤░       │',
    '  1.89 x ┤░       │',
    '  1.78 x ┤●░      │',
    '  1.67 x ┤░━      │',
    '  1.56 x ┤ ░░     │',
    '  1.44 x ┤  ━░    │',
    '  1.33 x ┤  ░░    │',
    '  1.22 x ┤╌╌╌━░╌╌╌│╌╌╌╌',
    '  1.11 x ┤    ━━░░│',
    '  1.00 x ┤    ░░━━●━━━●',
    `         └${'─'.repeat(13)}`,
    '          1   2   3   4  ways',
    '          1   2   3   4  MiB',
    '          ● measured   ━ expected   ░ 5 to 95 %   │ chosen   ╌ allowed',
  ]);
});

test('whatever is predicted fits 80 columns', () => {
  const curve = fc
    .array(fc.double({ min: 1, max: 1e7, noNaN: true }), { minLength: 1, maxLength: 200 })
    .map((values) => values.toSorted((a, b) => b - a));
  fc.assert(
    fc.property(
      curve,
      fc.boolean(),
      fc.double({ min: 1, max: 100, noNaN: true }),
      (slowdown, sure, allowed) => {
        const lines = drawExplanation({
          ...explanation,
          slowdown,
          cache: { ways: slowdown.length, way_bytes: 3 * 2 ** 17 },
          quantiles: sure ? [] : [{ level: 0.9, slowdown: slowdown.map((value) => value * 1.1) }],
          max_slowdown: allowed,
          ways: slowdown.length,
        });
        assert.equal(lines.length, 14);
        for (const line of lines) assert.ok(displayWidth(line) <= 80, line);
      },
    ),
  );
});
