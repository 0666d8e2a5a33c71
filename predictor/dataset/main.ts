/** `npm run dataset`: measures the representative functions and writes `predictor/data/`. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import type { CacheGeometry } from '../types.ts';
import { type CatalogueFunction, readCatalogue } from './catalogue.ts';
import { formatCurves } from './csv.ts';
import { generate, pointsOf, type Work } from './generate.ts';
import { ENVIRONMENT } from './measure-point.ts';
import { type DatasetOptions, parseOptions, USAGE } from './options.ts';
import { PointCache } from './point-cache.ts';
import { progressLine } from './progress.ts';
import { DEFAULT_GEOMETRY, formatSidecar } from './sidecar.ts';
import {
  findTools,
  GCC_FLAGS,
  type Program,
  PYTHON,
  PYTHON_FLAGS,
  prepare,
  SCRATCH_PREFIX,
} from './toolchain.ts';

const FUNCTIONS = resolve(import.meta.dirname, '../functions');
const DATA = resolve(import.meta.dirname, '../data');

interface Table {
  readonly name: string;
  readonly geometry: CacheGeometry;
  readonly sizesOf: (each: CatalogueFunction) => readonly number[];
}

const TABLES: readonly Table[] = [
  { name: 'curves', geometry: DEFAULT_GEOMETRY, sizesOf: ({ sizes }) => sizes },
  {
    name: 'curves-12x256k',
    geometry: { ways: 12, wayBytes: 256 * 1024 },
    sizesOf: ({ secondSizes = [] }) => secondSizes,
  },
];

const RECIPE = {
  compiler: ['gcc', ...GCC_FLAGS, '-o', 'NAME', 'NAME.c', '-lm'].join(' '),
  interpreter: [PYTHON, ...PYTHON_FLAGS].join(' '),
  command: 'cd / && [INTERPRETER] /dev/fd/3 INPUT_SIZE 3<PROGRAM',
  environment: ENVIRONMENT,
};

async function writeDataset({ only, out, jobs }: DatasetOptions, signal: AbortSignal): Promise<void> {
  const functions = await chosen(only);
  const tools = await findTools();
  const folder = join(tmpdir(), `fsched-dataset-cache-${process.getuid?.()}`);
  const cache = new PointCache({ folder }, { tools });
  const scratch = await mkdtemp(SCRATCH_PREFIX);
  try {
    const programs = new Map<CatalogueFunction, Program>();
    for (const each of functions) programs.set(each, await prepare(each, FUNCTIONS, scratch));
    await mkdir(out, { recursive: true });
    for (const { name, geometry, sizesOf } of TABLES) {
      const work = [...programs]
        .map(([each, program]): Work => ({ program, sizes: sizesOf(each) }))
        .filter(({ sizes }) => sizes.length > 0);
      if (work.length === 0) continue;
      const progress = progressOf(pointsOf(work, geometry).length);
      const curves = await generate(work, { geometry, jobs, scratch, signal }, { cache, progress });
      const sources = Object.fromEntries(work.map(({ program }) => [program.name, program.hash]));
      await writeFile(join(out, `${name}.csv`), formatCurves(curves));
      await writeFile(join(out, `${name}.json`), formatSidecar(curves, { tools, recipe: RECIPE, sources }));
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

const progressOf = (total: number) =>
  progressLine(
    { total },
    {
      write: (text) => process.stderr.write(text),
      now: () => Number(process.hrtime.bigint() / 1_000_000n),
    },
  );

async function chosen(only: readonly string[] | null): Promise<readonly CatalogueFunction[]> {
  const all = await readCatalogue(FUNCTIONS);
  const unknown = only?.find((name) => !all.some((each) => each.name === name));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: the catalogue has no such function`);
  return all.filter(({ name }) => only === null || only.includes(name));
}

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2), { out: DATA, jobs: availableParallelism() });
  if (options === 'help') {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    // Once: a second one ends the tool at once.
    process.once(name, () =>
      interrupt.abort(new Error('interrupted; what is measured is kept for the next run')),
    );
  }
  await writeDataset(options, interrupt.signal);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`\n${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
