import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { readCatalogue, sourceName } from '../../../predictor/dataset/catalogue.ts';
import { formatCurves, parseCurves } from '../../../predictor/dataset/csv.ts';
import { parseOptions } from '../../../predictor/dataset/options.ts';
import type { CurveSet } from '../../../predictor/dataset/types.ts';

const FUNCTIONS = resolve(import.meta.dirname, '../../../predictor/functions');
const DATA = resolve(import.meta.dirname, '../../../predictor/data');
const HEADER = 'name,input_size,cos,exec_time';
const TABLES = ['curves', 'curves-12x256k'] as const;

function curvesOf(text: string, sidecar: string | null = null): CurveSet {
  const parsed = parseCurves(text, sidecar);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.value;
}

const readTable = async (name: string): Promise<CurveSet> =>
  curvesOf(
    await readFile(join(DATA, `${name}.csv`), 'utf8'),
    await readFile(join(DATA, `${name}.json`), 'utf8'),
  );

describe('a table of curves', () => {
  test('rows become curves, sorted, whatever their order; missing points stay missing', () => {
    const text = `${HEADER}\nb,10,4,0.5\nb,10,1,1.5\na,20,2,1e-3\nb,9,1,2\n`;
    assert.deepEqual(curvesOf(text), {
      geometry: { ways: 16, wayBytes: 131072 },
      curves: [
        { name: 'a', inputSize: 20, points: [{ ways: 2, seconds: 0.001 }] },
        { name: 'b', inputSize: 9, points: [{ ways: 1, seconds: 2 }] },
        {
          name: 'b',
          inputSize: 10,
          points: [
            { ways: 1, seconds: 1.5 },
            { ways: 4, seconds: 0.5 },
          ],
        },
      ],
    });
  });

  test('repeated rows are samples: their mean counts', () => {
    const { curves } = curvesOf(`${HEADER}\na,1,3,1\na,1,3,2\na,1,3,6\n`);
    assert.deepEqual(curves[0]?.points, [{ ways: 3, seconds: 3 }]);
  });

  test("a spreadsheet's line ends, byte order mark and spaces are no error", () => {
    assert.deepEqual(curvesOf(`\uFEFF${HEADER}\r\na, 1, 1, 2\r\n\r\n`), curvesOf(`${HEADER}\na,1,1,2\n`));
  });

  test('the sidecar tells the cache', () => {
    const sidecar = JSON.stringify({ geometry: { ways: 20, wayBytes: 1000 }, more: true });
    assert.deepEqual(curvesOf(`${HEADER}\na,1,20,2\n`, sidecar).geometry, { ways: 20, wayBytes: 1000 });
    for (const bad of [
      '{',
      '[]',
      'null',
      '{}',
      '{"geometry":{"ways":0,"wayBytes":64}}',
      '{"geometry":{"ways":"16"}}',
    ]) {
      const parsed = parseCurves(`${HEADER}\na,1,1,2\n`, bad);
      assert.match(parsed.ok ? '' : parsed.error, /^the sidecar (is no JSON|does not tell the cache)/, bad);
    }
  });

  test('what is wrong is told with its line and column', () => {
    const good = 'a,1,1,2';
    const cases: readonly (readonly [string, RegExp])[] = [
      ['', /^line 1 has to be the header .* the file is empty$/],
      ['\n\n', /^line 1 has to be the header/],
      [`name,size,ways,time\n${good}`, /^line 1 has to be the header .*"name,size,ways,time"$/],
      [`${HEADER}\n`, /^line 2 is missing: there are no curves/],
      [`${HEADER}\n${good}\na,1,1`, /^line 3, column exec_time: 3 cells instead of 4$/],
      [`${HEADER}\n${good},5`, /^line 2, column exec_time: 5 cells/],
      [`${HEADER}\n"a",1,1,2`, /^line 2, column name: quotes/],
      [`${HEADER}\n,1,1,2`, /^line 2, column name: it is empty/],
      [`${HEADER}\n\na,big,1,2`, /^line 3, column input_size: "big" is no number$/],
      [`${HEADER}\na,0,1,2`, /^line 2, column input_size: 0 is no whole number above zero$/],
      [`${HEADER}\na,-5,1,2`, /^line 2, column input_size: -5/],
      [`${HEADER}\na,1.5,1,2`, /^line 2, column input_size: 1.5/],
      [`${HEADER}\na,1,0,2`, /^line 2, column cos: 0 is no number of ways from 1 to 16/],
      [`${HEADER}\na,1,17,2`, /^line 2, column cos: 17 is no number of ways from 1 to 16/],
      [`${HEADER}\na,1,1.5,2`, /^line 2, column cos: 1.5/],
      [`${HEADER}\na,1,NaN,2`, /^line 2, column cos: "NaN" is no number$/],
      [`${HEADER}\na,1,1,0`, /^line 2, column exec_time: 0 is no time above zero$/],
      [`${HEADER}\na,1,1,-1`, /^line 2, column exec_time: -1/],
      [`${HEADER}\na,1,1,NaN`, /^line 2, column exec_time: "NaN" is no number$/],
      [`${HEADER}\na,1,1,Infinity`, /^line 2, column exec_time: "Infinity" is no number$/],
      [`${HEADER}\na,1,1,0x10`, /^line 2, column exec_time: "0x10" is no number$/],
      [`${HEADER}\na,1,1,1e999`, /^line 2, column exec_time: "1e999" is no number$/],
      [`${HEADER}\na,1,1,`, /^line 2, column exec_time: "" is no number$/],
    ];
    for (const [text, error] of cases) {
      const parsed = parseCurves(text, null);
      assert.match(parsed.ok ? 'it was accepted' : parsed.error, error, text);
    }
  });

  test('what is written is what is read', () => {
    const point = fc
      .tuple(fc.integer({ min: 1, max: 16 }), fc.integer({ min: 1, max: 1e13 }))
      .map(([ways, cycles]) => ({ ways, seconds: cycles / 1e9 }));
    const curve = fc
      .tuple(
        fc.stringMatching(/^[a-z][a-z0-9_]{0,8}$/),
        fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
        fc.uniqueArray(point, { minLength: 1, selector: ({ ways }) => ways }),
      )
      .map(([name, inputSize, points]) => ({ name, inputSize, points }));
    const curves = fc.uniqueArray(curve, {
      minLength: 1,
      selector: ({ name, inputSize }) => `${name} ${inputSize}`,
    });
    fc.assert(
      fc.property(curves, (unsorted) => {
        const set: CurveSet = { geometry: { ways: 16, wayBytes: 131072 }, curves: unsorted };
        const text = formatCurves(set);
        const read = curvesOf(text);
        assert.equal(formatCurves(read), text);
        const wanted = unsorted
          .map((each) => ({ ...each, points: each.points.toSorted((a, b) => a.ways - b.ways) }))
          .sort((a, b) => (a.name === b.name ? a.inputSize - b.inputSize : a.name < b.name ? -1 : 1));
        assert.deepEqual(read.curves, wanted);
      }),
    );
  });
});

describe('the catalogue', () => {
  test('at least thirty functions of six sizes or more, each with its source and a line in the README', async () => {
    const functions = await readCatalogue(FUNCTIONS);
    assert.ok(functions.length >= 30);
    const readme = await readFile(join(DATA, 'README.md'), 'utf8');
    for (const each of functions) {
      assert.ok(each.sizes.length >= 6, each.name);
      assert.ok(existsSync(join(FUNCTIONS, sourceName(each))), each.name);
      assert.ok(readme.includes(`| ${each.name} |`), `predictor/data/README.md lists ${each.name}`);
    }
  });

  test('an entry that is no function is named', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fsched-catalogue-'));
    const entry = { name: 'a', language: 'c', kind: 'k', sizes: [1, 2] };
    const refused: readonly (readonly [unknown, RegExp])[] = [
      [{}, /is no list/],
      [[entry, { ...entry, name: 'A b' }], /entry 2 is no function/],
      [[{ ...entry, language: 'rust' }], /entry 1 is no function/],
      [[{ ...entry, sizes: [2, 2] }], /entry 1 is no function/],
      [[{ ...entry, secondSizes: [3] }], /entry 1 is no function/],
      [[entry, entry], /a stands there twice/],
    ];
    try {
      for (const [text, error] of refused) {
        await writeFile(join(folder, 'catalogue.json'), JSON.stringify(text));
        await assert.rejects(readCatalogue(folder), error);
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('the dataset', () => {
  const tables = new Map<string, CurveSet>();
  before(async () => {
    for (const name of TABLES) tables.set(name, await readTable(name));
  });
  after(() => tables.clear());

  test('has every size of the catalogue with every number of ways', async () => {
    const functions = await readCatalogue(FUNCTIONS);
    for (const name of TABLES) {
      const table = tables.get(name);
      assert.ok(table);
      const wanted = functions.flatMap((each) =>
        (name === 'curves' ? each.sizes : (each.secondSizes ?? [])).map((size) => `${each.name} ${size}`),
      );
      assert.deepEqual(table.curves.map((curve) => `${curve.name} ${curve.inputSize}`).sort(), wanted.sort());
      for (const curve of table.curves) assert.equal(curve.points.length, table.geometry.ways, curve.name);
    }
  });

  test('more ways never make it slower (an LRU cache of k ways holds what one of k - 1 holds)', () => {
    for (const curve of [...tables.values()].flatMap(({ curves }) => curves)) {
      const seconds = curve.points.map((point) => point.seconds);
      assert.deepEqual(
        seconds,
        seconds.toSorted((a, b) => b - a),
        `${curve.name} ${curve.inputSize}`,
      );
    }
  });

  test('is written as it stands', async () => {
    for (const [name, table] of tables) {
      assert.equal(formatCurves(table), await readFile(join(DATA, `${name}.csv`), 'utf8'));
    }
  });
});

describe("the tool's command line", () => {
  const defaults = { out: 'data', jobs: 2 };

  test('nothing is needed', () => {
    assert.deepEqual(parseOptions([], defaults), { only: null, out: 'data', jobs: 2 });
    assert.equal(parseOptions(['--help'], defaults), 'help');
  });

  test('a part of the functions goes elsewhere than the whole', () => {
    const options = parseOptions(['--only', 'fft,pca', '--out', 'there', '--jobs', '7'], defaults);
    assert.deepEqual(options, { only: ['fft', 'pca'], out: 'there', jobs: 7 });
    assert.throws(() => parseOptions(['--only', 'fft'], defaults), /--only needs --out/);
    assert.throws(() => parseOptions(['--jobs', '0'], defaults), /--jobs 0 is no whole number/);
    assert.throws(() => parseOptions(['--speed', '9'], defaults), /--speed/);
  });
});
