import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import displayWidth from 'string-width';
import { type DrawnNode, drawWays } from '../../../cli/ways.ts';

type Domain = DrawnNode['llc'][number];
type Run = Domain['runs'][number];

const run = (id: string, ways: number, changes: Partial<Run> = {}): Run => ({
  run_id: id,
  attempt: 1,
  domain: 0,
  sensitive: true,
  ways,
  hold: 'partition',
  mask: null,
  occupancy_bytes: null,
  ...changes,
});
const NO_MASKS = { reserve: 0, foreign: 0, io: 0, pool: 0 };
const domain = (ways: number, free: number, runs: Run[] = [], masks: Domain['masks'] = NO_MASKS): Domain => ({
  id: 0,
  cpus: [0],
  ways,
  free_ways: free,
  min_ways: 1,
  way_bytes: 1024 * 1024,
  masks,
  occupancy_bytes: null,
  pool_bandwidth_percent: null,
  runs,
});
const node = (name: string, llc: Domain[], changes: Partial<DrawnNode> = {}): DrawnNode => ({
  name,
  alive: true,
  enforcement: 'enforced',
  llc,
  ...changes,
});
const draw = (...nodes: readonly DrawnNode[]) => drawWays(nodes, { colour: false });
const bar = (line: string | undefined) => /\[(.*)\]/.exec(line ?? '')?.[1];

describe('drawing of ways', () => {
  test('has every way where it is: reserve, pool, other programs, I/O, partitions with what they fill', () => {
    const masks = { reserve: 0xc00, foreign: 0x001, io: 0xe00, pool: 0x200 };
    const runs = [
      run('first', 2, { hold: 'partition', mask: 0x00c, occupancy_bytes: 1.5 * 2 ** 20 }),
      run('second', 3, { hold: 'partition', mask: 0x1c0, occupancy_bytes: 0 }),
      run('third', 1, { hold: 'pool', mask: 0x200, occupancy_bytes: 4096 }),
    ];
    assert.deepEqual(draw(node('alpha', [domain(12, 3, runs, masks)])), [
      'alpha                  LLC 0   [RRSBBB··AA·#] 3/12 free × 1 MiB',
      '                                ^^^',
      'R reserve   S shared pool   # other programs   ^ filled by I/O too   · free',
      'A first: 2 ways, 1.5 MiB filled',
      'B second: 3 ways, 0 B filled',
      'S third: in the shared pool (1 way), 4 KiB filled',
    ]);
  });

  test('says how much memory bandwidth the pool may have', () => {
    const masks = { reserve: 0x8, foreign: 0, io: 0, pool: 0x4 };
    const limited = { ...domain(4, 2, [run('a', 1, { hold: 'pool' })], masks), pool_bandwidth_percent: 30 };
    assert.equal(draw(node('alpha', [limited]))[1], 'R reserve   S shared pool (30 % bandwidth)   · free');
  });

  test('draws ways that are only counted small, on the lowest that are free, and says so', () => {
    const masks = { reserve: 0x80, foreign: 0, io: 0, pool: 0 };
    const runs = [run('a', 2, { hold: 'counted' }), run('b', 1, { hold: 'counted' })];
    const alpha = node('alpha', [domain(8, 4, runs, masks)], { enforcement: 'unenforced' });
    assert.deepEqual(draw(alpha), [
      'alpha                  LLC 0   [R····baa] 4/8 free × 1 MiB',
      'R reserve   · free',
      'A a: 2 ways counted'.replace('A', 'a'),
      'b b: 1 way counted',
      'alpha: no cache allocation, ways are only counted',
    ]);
  });

  test('says that an emulator holds nothing', () => {
    const masks = { reserve: 0x8, foreign: 0, io: 0, pool: 0 };
    const lines = draw(node('alpha', [domain(4, 3, [], masks)], { enforcement: 'emulated' }));
    assert.deepEqual(lines.slice(1), ['R reserve   · free   no runs', 'alpha: emulated, so nothing is held']);
  });

  test('draws what nothing holds by its counts', () => {
    const lines = draw(node('alpha', [domain(8, 4, [run('first', 3), run('second', 1)])]));
    assert.equal(bar(lines[0]), '····BAAA');
    assert.match(lines[0] ?? '', /^alpha .* 4\/8 free × 1 MiB$/);
    assert.deepEqual(lines.slice(1), ['· free', 'A first: 3 ways', 'B second: 1 way']);
  });

  test('gives one run one letter on all nodes', () => {
    const domains = [domain(2, 1, [run('r', 1)])];
    const lines = draw(node('a', domains), node('b', domains));
    assert.deepEqual([bar(lines[0]), bar(lines[1])], ['·A', '·A']);
  });

  test('fits 80 columns with long names, many ways and colours', () => {
    const runs = Array.from({ length: 70 }, (_, index) =>
      run(`run-${index}`.repeat(20), 1, { hold: 'counted' }),
    );
    const masks = { reserve: 0, foreign: 0, io: 3, pool: 0 };
    const crowded = node('n'.repeat(60), [domain(128, 58, runs, masks)], { enforcement: 'unenforced' });
    const lines = drawWays([crowded], { colour: true });
    for (const line of lines) assert.ok(displayWidth(stripVTControlCharacters(line)) <= 80, line);
    const cells = lines.map(stripVTControlCharacters).flatMap((line) => [...(bar(line) ?? '')]);
    assert.equal(cells.length, 128);
    assert.equal(cells.filter((cell) => cell === '·').length, 58);
    for (const line of drawWays([crowded], { colour: false, width: 60 }))
      assert.ok(displayWidth(line) <= 60, line);
  });

  test('says when nothing is known of a node, and draws nothing of one that is down', () => {
    assert.match(draw(node('alpha', []))[0] ?? '', /^alpha +nothing is known of its cache yet$/);
    const down = node('alpha', [domain(4, 2, [run('r', 2)])], { alive: false, enforcement: 'emulated' });
    assert.deepEqual(draw(down), [`${'alpha'.padEnd(22)} down`, 'no runs']);
  });
});
