import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import displayWidth from 'string-width';
import { describeProgress } from '../../../cli/benchmark-watch.ts';
import { drawCurve, drawExplanation } from '../../../cli/plot.ts';
import { describeProfile } from '../../../cli/profile-table.ts';
import type { RunSummaryJson } from '../../../node/rest/schemas/runs.ts';
import { explanation, run, taskDetail } from './fixtures.ts';

describe('a curve', () => {
  test('has a dot for each point, at its height, and its ways below', () => {
    const points = [
      { ways: 16, seconds: 1 },
      { ways: 1, seconds: 4.5 },
      { ways: 8, seconds: 1 },
    ];
    assert.deepEqual(drawCurve(points, 16), [
      '  4.50 x ┤●·',
      '  4.00 x ┤  ····',
      '  3.50 x ┤      ····',
      '  3.00 x ┤          ····',
      '  2.50 x ┤              ····',
      '  2.00 x ┤                  ····',
      '  1.50 x ┤                      ····',
      '  1.00 x ┤                          ··●·······························●',
      `         └${'─'.repeat(61)}`,
      '          1                           8                               16  ways',
    ]);
  });

  test('is flat when the times are nearly the same, and nothing without points', () => {
    const lines = drawCurve(
      [
        { ways: 1, seconds: 1.01 },
        { ways: 4, seconds: 1 },
      ],
      4,
    );
    assert.equal(lines.filter((line) => line.includes('●')).length, 1);
    assert.deepEqual(drawCurve([], 16), []);
    assert.deepEqual(drawCurve([{ ways: 1, seconds: 0 }], 16), []);
  });

  test('fits 80 columns whatever was measured', () => {
    const point = fc.record({
      ways: fc.integer({ min: 1, max: 200 }),
      seconds: fc.double({ min: 1e-9, max: 1e6, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(point, { minLength: 1, maxLength: 40 }), (points) => {
        const ways = Math.max(...points.map((each) => each.ways));
        for (const line of drawCurve(points, ways)) assert.ok(displayWidth(line) <= 80, line);
      }),
    );
  });
});

describe('progress', () => {
  const measured = (
    ways: number,
    seconds: number | null,
    profiler: 'cachegrind' | 'wallclock' = 'cachegrind',
  ) =>
    ({
      ...run,
      purpose: 'benchmark',
      state: seconds === null ? 'running' : 'succeeded',
      finished_at: seconds === null ? null : run.finished_at,
      measure: { profiler, ways, way_bytes: 131072 },
      measurement:
        seconds === null ? null : { seconds, cycles: null, i_refs: null, l1_misses: null, ll_misses: null },
    }) satisfies RunSummaryJson;

  test('begins with the program by itself', () => {
    assert.deepEqual(describeProgress([]), ['running the program once by itself …']);
    assert.deepEqual(describeProgress([{ ...run, purpose: 'benchmark' }]), describeProgress([]));
  });

  test('shows what is known and what is being measured', () => {
    const lines = describeProgress([measured(4, null), measured(1, 3), measured(16, 1)]);
    assert.equal(lines[0], 'by cachegrind, ways of 128 KiB: 2 executions, now at 4 ways');
    assert.equal(lines.join('').split('●').length - 1, 2);
  });

  test('forgets the points of a profiler that was given up', () => {
    const lines = describeProgress([
      measured(1, 2, 'wallclock'),
      measured(16, 1, 'wallclock'),
      measured(16, 9),
    ]);
    assert.match(lines[0] ?? '', /by wallclock.*: 2 executions$/);
  });
});

test('a profile shows its note and the spread of its samples', () => {
  const [profile] = taskDetail.profiles;
  assert.ok(profile);
  const note =
    'node compiles while it runs, which cachegrind would measure with it; ask for cachegrind by name';
  const points = [{ ways: 1, seconds: [0.9, 1.1], mean_seconds: 1, spread_seconds: 0.1414 }];
  const lines = describeProfile({ ...profile, note, points });
  assert.match(
    lines.join('\n'),
    /by wallclock.*\n\(node compiles.*\n.*by name\)\nWAYS +TIME +SPREAD\n +1 +1\.00 s +± 14\.1 %/,
  );
  assert.ok(lines.every((line) => displayWidth(line) <= 80));
});

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
