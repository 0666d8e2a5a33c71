/**
 * Bundles the program into dist/: `fsched.js`, one file for each worker thread (`NAME-worker.ts` becomes
 * `NAME-worker.js` beside it), and shared chunks. A bundle more than halves the time to start. Heavy commands
 * are dynamic imports, which splitting keeps out of the light ones.
 *
 *     node cli/bin/build.mjs [FOLDER]
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const dist = resolve(process.argv[2] ?? join(root, 'dist'));

const workers = ['node', 'predictor']
  .flatMap((room) => readdirSync(join(root, room), { recursive: true }).map((name) => join(root, room, name)))
  .filter((path) => path.endsWith('-worker.ts'));

/** CommonJS packages inside an ES module still expect these three. */
const banner = [
  "import { createRequire as __createRequire } from 'node:module';",
  "import { fileURLToPath as __toPath } from 'node:url';",
  "import { dirname as __toFolder } from 'node:path';",
  'const require = __createRequire(import.meta.url);',
  'const __filename = __toPath(import.meta.url);',
  'const __dirname = __toFolder(__filename);',
].join('');

const result = await build({
  absWorkingDir: root,
  entryPoints: [
    { in: join(root, 'cli/main.ts'), out: 'fsched' },
    ...workers.map((path) => ({ in: path, out: basename(path, '.ts') })),
  ],
  outdir: dist,
  bundle: true,
  splitting: true,
  write: false,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  // `import` first: the ES builds of packages shake better than their CommonJS twins.
  mainFields: ['module', 'main'],
  conditions: ['node', 'import'],
  minifyWhitespace: true,
  minifySyntax: true,
  keepNames: true,
  legalComments: 'none',
  chunkNames: 'chunk-[hash]',
  // Native code is found beside its own package at run time.
  external: ['classic-level', '@tensorflow/*'],
  banner: { js: banner },
  logLevel: 'warning',
});

// What the program reads at run time lies beside the bundle: the model and the curves that it goes on learning from.
const SHIPPED = ['model.weights', 'curves.csv', 'curves.json'];
const shipped = SHIPPED.map((name) => ({
  path: join(dist, 'data', name),
  contents: readFileSync(join(root, 'predictor/data', name)),
}));

// Each file appears whole, and old chunks go last: a daemon that starts meanwhile sees one build or the other.
mkdirSync(join(dist, 'data'), { recursive: true });
const entriesLast = [...shipped, ...result.outputFiles].toSorted(
  (a, b) => Number(basename(b.path).startsWith('chunk-')) - Number(basename(a.path).startsWith('chunk-')),
);
for (const file of entriesLast) {
  const draft = `${file.path}.${process.pid}.tmp`;
  writeFileSync(draft, file.contents);
  renameSync(draft, file.path);
}
const current = new Set(['data', ...result.outputFiles.map((file) => basename(file.path))]);
for (const name of readdirSync(dist)) {
  if (!current.has(name) && !name.endsWith('.tmp'))
    rmSync(join(dist, name), { recursive: true, force: true });
}

const bytes = result.outputFiles.reduce((sum, file) => sum + file.contents.length, 0);
process.stderr.write(`built ${basename(dist)}/: ${current.size} files, ${Math.round(bytes / 1024)} KiB\n`);
