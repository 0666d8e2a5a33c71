/** Points of the dataset, measured: needs valgrind, and for the committed numbers the same tools as then. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { estimate } from '../../../predictor/cachegrind.ts';
import { readCatalogue } from '../../../predictor/dataset/catalogue.ts';
import { parseCurves } from '../../../predictor/dataset/csv.ts';
import { generate } from '../../../predictor/dataset/generate.ts';
import { measurePoint } from '../../../predictor/dataset/measure-point.ts';
import { PointCache } from '../../../predictor/dataset/point-cache.ts';
import type { Tools } from '../../../predictor/dataset/sidecar.ts';
import { findTools, type Program, prepare, SCRATCH_PREFIX } from '../../../predictor/dataset/toolchain.ts';

const FUNCTIONS = resolve(import.meta.dirname, '../../../predictor/functions');
const DATA = resolve(import.meta.dirname, '../../../predictor/data');
const NO_TOOLS: Tools = { valgrind: '', gcc: '', python: '', libc: '', cpu: '' };
const GEOMETRY = { ways: 3, wayBytes: 4096 };

const here = await findTools().catch((error: Error) => error.message);
const missing = typeof here === 'string' && here;

async function otherTools(): Promise<string | false> {
  if (typeof here === 'string') return here;
  const then = JSON.parse(await readFile(join(DATA, 'curves.json'), 'utf8')).tools as Tools;
  return (
    !isDeepStrictEqual(then, here) && `measured by ${JSON.stringify(then)}, here are ${JSON.stringify(here)}`
  );
}

let folder = '';
before(async () => {
  folder = await mkdtemp(SCRATCH_PREFIX);
});
after(() => rm(folder, { recursive: true }));

const signal = new AbortController().signal;

async function script(name: string, text: string): Promise<Program> {
  const file = join(folder, name);
  await writeFile(file, text);
  return { name, file, interpreter: ['/bin/sh'], hash: name };
}

describe('a point', { skip: missing }, () => {
  const point = { inputSize: 5, ways: 2, wayBytes: 4096 };

  test('a program that fails is named with its input size', async () => {
    const fails = await script('fails', 'echo no such thing >&2; exit 3');
    await assert.rejects(
      measurePoint({ ...point, program: fails }, folder, signal),
      /^Error: fails at input size 5 with 2 ways ended with 3: no such thing$/,
    );
    const killed = await script('killed', 'kill -9 $$');
    await assert.rejects(
      measurePoint({ ...point, program: killed }, folder, signal),
      /killed at input size 5 with 2 ways ended with SIGKILL/,
    );
  });

  test('a program prints one line', async () => {
    const chatty = await script('chatty', 'echo 1; echo 2');
    await assert.rejects(
      measurePoint({ ...point, program: chatty }, folder, signal),
      /has to print one line/,
    );
  });

  test('an interrupted one ends at once', async () => {
    const abort = new AbortController();
    const slow = await script('slow', 'while true; do :; done');
    const measured = measurePoint({ ...point, program: slow }, folder, abort.signal);
    setTimeout(() => abort.abort(new Error('enough')), 300);
    await assert.rejects(measured, /^Error: enough$/);
  });
});

describe('all points', () => {
  const options = () => ({ geometry: GEOMETRY, jobs: 2, scratch: folder, signal });

  test('those that are finished are not measured again', async () => {
    const cache = new PointCache({ folder: join(folder, 'cache') }, { tools: NO_TOOLS });
    const program: Program = { name: 'known', file: '/nonexistent', interpreter: [], hash: '1' };
    for (let ways = 1; ways <= 3; ways += 1) {
      const counts = { iRefs: 1000, l1Misses: 10, llMisses: 4 - ways };
      await cache.write({ program, inputSize: 7, ways, wayBytes: 4096 }, counts);
    }
    const told: string[] = [];
    const dependencies = { cache, progress: (_: unknown, from: string) => told.push(from) };
    const { curves } = await generate([{ program, sizes: [7] }], options(), dependencies);
    assert.deepEqual(told, ['cache', 'cache', 'cache']);
    const points = [1400e-9, 1300e-9, 1200e-9].map((seconds, index) => ({ ways: index + 1, seconds }));
    assert.deepEqual(curves, [{ name: 'known', inputSize: 7, points }]);
    const changed = { ...program, hash: '2' };
    assert.equal(await cache.read({ program: changed, inputSize: 7, ways: 1, wayBytes: 4096 }), null);
  });

  test('the first that fails ends it', { skip: missing }, async () => {
    const cache = new PointCache({ folder: join(folder, 'cache') }, { tools: NO_TOOLS });
    const program = await script('broken', 'exit 1');
    const measured = generate([{ program, sizes: [7] }], options(), { cache, progress: () => {} });
    await assert.rejects(measured, /^Error: broken at input size 7 with [12] ways ended with 1/);
  });
});

describe('the committed numbers', { skip: await otherTools() }, () => {
  const SOME = [
    { name: 'hash_join', ways: [1, 3] },
    { name: 'sha256_hash', ways: [2] },
    { name: 'quick_sort', ways: [4] },
  ];
  for (const { name, ways: counts } of SOME) {
    test(`come out again: ${name}`, async () => {
      const [csv, sidecar] = await Promise.all(
        ['csv', 'json'].map((extension) => readFile(join(DATA, `curves.${extension}`), 'utf8')),
      );
      const table = parseCurves(csv ?? '', sidecar ?? '');
      const each = (await readCatalogue(FUNCTIONS)).find((candidate) => candidate.name === name);
      assert.ok(table.ok && each);
      const curve = table.value.curves.find((candidate) => candidate.name === name);
      assert.ok(curve);
      const program = await prepare(each, FUNCTIONS, folder);
      for (const ways of counts) {
        const point = { program, inputSize: curve.inputSize, ways, wayBytes: table.value.geometry.wayBytes };
        const { seconds } = estimate([await measurePoint(point, folder, signal)]);
        const committed: number = curve.points.find((candidate) => candidate.ways === ways)?.seconds ?? 0;
        // Python looks up who owns its script, and keeps the ids up to 256 ready: it takes some instructions less.
        const { uid } = await stat(program.file);
        if (each.language === 'python' && uid > 256)
          assert.ok(Math.abs(seconds / committed - 1) < 1e-4, `${seconds}`);
        else assert.equal(seconds, committed);
      }
    });
  }
});

test('a missing tool is named', { skip: !missing && 'all are there' }, async () => {
  await assert.rejects(findTools(), /the dataset needs valgrind, gcc and/);
});
