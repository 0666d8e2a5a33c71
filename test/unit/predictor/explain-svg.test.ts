import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type ExplainedPicture, explainSvg } from '../../../predictor/explain-svg.ts';
import { measuredDots } from '../../../predictor/measured-dots.ts';

const MIB = 2 ** 20;
const PICTURE: ExplainedPicture = {
  title: 'sort at input size 100',
  subtitle: 'BENCHMARKED by fsched v2: 2 of 4 ways',
  geometry: { ways: 4, wayBytes: MIB },
  inputSize: 100,
  curves: [
    {
      inputSize: 100,
      profiler: 'cachegrind',
      wayBytes: MIB / 2,
      points: [
        { ways: 2, seconds: [3, 5] },
        { ways: 8, seconds: [2] },
      ],
    },
    { inputSize: 7, profiler: 'cachegrind', wayBytes: MIB, points: [{ ways: 1, seconds: [1] }] },
    { inputSize: 100, profiler: 'wallclock', wayBytes: MIB, points: [{ ways: 1, seconds: [1] }] },
  ],
  slowdown: [2, 1.2, 1, 1],
  quantiles: [
    { level: 0.05, slowdown: [1.8, 1, 1, 1] },
    { level: 0.95, slowdown: [2.4, 1.4, 1.1, 1] },
  ],
  chosenWays: 3,
  maxSlowdown: 1.05,
};

/** Enough of a parser to see that it is XML. */
function assertWellFormed(xml: string): void {
  const open: string[] = [];
  const text = xml.replace(/<style>[\s\S]*?<\/style>/, '');
  for (const [, close, name, empty] of text.matchAll(
    /<(\/?)([a-z]+)(?:\s+[a-zA-Z0-9-]+="[^"<]*")*\s*(\/?)>/g,
  )) {
    if (close) assert.equal(open.pop(), name);
    else if (!empty) open.push(name ?? '');
  }
  assert.deepEqual(open, []);
  const bare = text.replaceAll(/<(\/?)([a-z]+)(?:\s+[a-zA-Z0-9-]+="[^"<]*")*\s*(\/?)>/g, '');
  assert.doesNotMatch(bare, /[<>]|&(?!(amp|lt|gt|quot|#39);)/);
  assert.doesNotMatch(xml, /NaN|Infinity|undefined|null/);
}

describe('an explanation as SVG', () => {
  test('has axes in ways and MiB, dots, line, band, the choice and what is allowed, in light and dark', () => {
    const svg = explainSvg(PICTURE);
    assertWellFormed(svg);
    assert.match(svg, />4<\/text><text [^>]*>4<\/text>/, 'four ways of 1 MiB are 4 MiB');
    assert.equal(svg.match(/<circle class="dot" r="4" cx="[^8]/g)?.length, 2);
    for (const part of ['class="band"', 'class="line"', '3 ways chosen', 'allowed: 1.05×', '>ways<', '>MiB<'])
      assert.ok(svg.includes(part), part);
    assert.match(svg, /prefers-color-scheme: dark/);
    assert.doesNotMatch(svg, /<script|href/);
  });

  test('escapes what people named', () => {
    const svg = explainSvg({
      ...PICTURE,
      title: '</text><script>alert("1")&\'\u0000\ud800',
      subtitle: '<b>',
    });
    assertWellFormed(svg);
    assert.ok(svg.includes('&lt;/text&gt;&lt;script&gt;alert(&quot;1&quot;)&amp;&#39;'));
  });

  test('without a prediction it still says so', () => {
    const svg = explainSvg({
      ...PICTURE,
      curves: [],
      slowdown: [],
      quantiles: [],
      chosenWays: null,
      subtitle: 'INOP: never benchmarked',
    });
    assertWellFormed(svg);
    assert.ok(svg.includes('INOP: never benchmarked'));
    assert.doesNotMatch(svg, /class="(line|band|chosen|dot)"/);
  });

  test('measured points stand in ways of the predicted cache, relative to its full time', () => {
    assert.deepEqual(measuredDots(PICTURE), [
      { ways: 1, slowdown: 2, profiler: 'cachegrind' },
      { ways: 4, slowdown: 1, profiler: 'cachegrind' },
    ]);
  });

  test('whatever is drawn is well-formed', () => {
    const curve = fc.array(fc.double({ min: 1, max: 1e6, noNaN: true }), { maxLength: 40 });
    const arbitrary = fc.record({
      title: fc.string({ unit: 'binary' }),
      subtitle: fc.string({ unit: 'binary', maxLength: 400 }),
      ways: fc.integer({ min: 1, max: 64 }),
      slowdown: curve,
      band: curve,
      seconds: fc.array(fc.double({ min: 0, max: 1e3, noNaN: true }), { maxLength: 5 }),
      maxSlowdown: fc.double({ min: 1, max: 100, noNaN: true }),
    });
    fc.assert(
      fc.property(arbitrary, ({ ways, band, seconds, ...more }) => {
        const picture: ExplainedPicture = {
          ...PICTURE,
          ...more,
          geometry: { ways, wayBytes: MIB },
          quantiles: [{ level: 0.9, slowdown: band }],
          curves: [
            {
              inputSize: 100,
              profiler: 'run',
              wayBytes: MIB,
              points: seconds.map((s, i) => ({ ways: i, seconds: [s] })),
            },
          ],
          chosenWays: Math.min(3, ways),
        };
        assertWellFormed(explainSvg(picture));
      }),
    );
  });
});
