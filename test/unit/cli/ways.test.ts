import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { displayWidth } from '../../../cli/display-width.ts';
import { type DrawnDomain, drawWays } from '../../../cli/ways.ts';

const domain = (ways: number, freeWays: number, runs: DrawnDomain['runs'] = []): DrawnDomain => ({
  id: 0,
  ways,
  freeWays,
  wayBytes: 1024 * 1024,
  runs,
});
const draw = (name: string, ...domains: readonly DrawnDomain[]) =>
  drawWays([{ name, note: 'nothing known', domains }], { colour: false });
const bar = (line: string | undefined) => /\[(.*)\]/.exec(line ?? '')?.[1];

describe('drawing of ways', () => {
  it('has a cell for each way and a letter for each run', () => {
    const runs = [
      { runId: 'first', ways: 3 },
      { runId: 'second', ways: 1 },
    ];
    const lines = draw('alpha', domain(8, 4, runs));
    assert.equal(bar(lines[0]), 'AAAB····');
    assert.match(lines[0] ?? '', /^alpha .* 4\/8 free × 1 MiB$/);
    assert.deepEqual(lines.slice(2), ['A run first', 'B run second']);
  });

  it('marks ways that are lent to nobody known', () => {
    assert.equal(bar(draw('alpha', domain(4, 1))[0]), '###·');
  });

  it('gives one run one letter on all nodes', () => {
    const node = { note: '', domains: [domain(2, 1, [{ runId: 'r', ways: 1 }])] };
    const lines = drawWays(
      [
        { ...node, name: 'a' },
        { ...node, name: 'b' },
      ],
      { colour: false },
    );
    assert.deepEqual([bar(lines[0]), bar(lines[1])], ['A·', 'A·']);
  });

  it('fits 80 columns with long names, many ways and colours', () => {
    const runs = Array.from({ length: 70 }, (_, index) => ({ runId: `run-${index}`.repeat(20), ways: 1 }));
    const node = { name: 'n'.repeat(60), note: '', domains: [domain(128, 58, runs)] };
    const lines = drawWays([node], { colour: true });
    for (const line of lines) assert.ok(displayWidth(stripVTControlCharacters(line)) <= 80, line);
    const cells = lines.map(stripVTControlCharacters).flatMap((line) => [...(bar(line) ?? '')]);
    assert.equal(cells.length, 128);
    assert.equal(cells.filter((cell) => cell === '·').length, 58);
  });

  it('says when nothing is known of a node', () => {
    assert.match(draw('alpha')[0] ?? '', /^alpha +nothing known$/);
  });
});
