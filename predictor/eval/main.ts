/** `npm run predictor:eval`: the table that tells which method predicts best. */
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { setImmediate } from 'node:timers/promises';
import type { CurveSet } from '../dataset/types.ts';
import { evaluate } from './evaluate.ts';
import { loadCurves } from './load.ts';
import { METHODS } from './methods.ts';
import { type CliOptions, parseOptions, USAGE } from './options.ts';
import { QUICK_SCENARIOS, SCENARIOS } from './scenarios.ts';
import { formatReport } from './table.ts';

const SHIPPED = join(import.meta.dirname, '../data/curves.csv');
const EXIT = { FAILED: 1, USAGE: 2, INTERRUPTED: 130 } as const;
/** One press of Ctrl-C can arrive twice: from the terminal and from npm. */
const SAME_PRESS_MS = 400;

interface Input {
  readonly options: CliOptions;
  readonly train: CurveSet | null;
  readonly test: CurveSet;
}

/** Null after help. */
async function readInput(): Promise<Input | null> {
  const options = parseOptions(process.argv.slice(2), METHODS);
  if (options === 'help') {
    process.stdout.write(`${USAGE}\n`);
    return null;
  }
  const test = await loadCurves(options.test ?? SHIPPED);
  if (options.train === null && options.test === null) return { options, train: null, test };
  return { options, train: await loadCurves(options.train ?? SHIPPED), test };
}

async function run({ options, train, test }: Input, signal: AbortSignal): Promise<number> {
  const { methods, seed, folds, quick, json } = options;
  const showsProgress = process.stderr.isTTY === true;
  const report = await evaluate(
    {
      train,
      test,
      methods,
      seed,
      folds,
      scenarios: quick ? QUICK_SCENARIOS : SCENARIOS,
      leaveOut: quick ? ['functions'] : ['functions', 'sizes'],
      shipped: options.train === null,
    },
    {
      now: () => performance.now() * 1000,
      breathe: () => setImmediate(),
      progress: (what) => showsProgress && process.stderr.write(`\r\x1b[K${what}`),
      signal,
    },
  ).finally(() => showsProgress && process.stderr.write('\r\x1b[K'));
  if (report.rows.length === 0) {
    process.stderr.write(`${[...report.notes, 'nothing is left to judge'].join('; ')}\n`);
    return EXIT.USAGE;
  }
  for (const note of report.notes) process.stderr.write(`warning: ${note}\n`);
  process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report));
  return 0;
}

function onInterrupt(first: () => void): void {
  let firstAtMs: number | null = null;
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      const nowMs = performance.now();
      if (firstAtMs === null) {
        firstAtMs = nowMs;
        first();
      } else if (nowMs - firstAtMs > SAME_PRESS_MS) process.exit(EXIT.INTERRUPTED);
    });
  }
}

const sentence = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function main(): Promise<number> {
  const interrupt = new AbortController();
  onInterrupt(() => interrupt.abort(new Error('interrupted')));
  let input: Input | null;
  try {
    input = await readInput();
  } catch (error) {
    process.stderr.write(`${sentence(error)}\n`);
    return EXIT.USAGE;
  }
  try {
    return input === null ? 0 : await run(input, interrupt.signal);
  } catch (error) {
    process.stderr.write(`${sentence(error)}\n`);
    return interrupt.signal.aborted ? EXIT.INTERRUPTED : EXIT.FAILED;
  }
}

process.exitCode = await main();
