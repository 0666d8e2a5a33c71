/** The command line of the evaluation. */
import { parseArgs } from 'node:util';
import type { Method } from './method.ts';

export interface CliOptions {
  /** Paths; null: the curves that ship with the program. */
  readonly train: string | null;
  readonly test: string | null;
  readonly json: boolean;
  readonly quick: boolean;
  readonly folds: number | 'all';
  readonly seed: number;
  readonly methods: readonly Method[];
}

export const USAGE = `npm run predictor:eval -- [--train FILE.csv] [--test FILE.csv] [--json]
                          [--quick] [--folds N|all] [--seed N]
                          [--methods NAME[,NAME]]
Judges methods that predict how much cache a function needs, on functions that
they have never seen.
  (no files)  on the curves that ship: each function is left out in turn, then
              each input size
  --train     learn from these curves (default: those that ship)
  --test      judge on these curves (default: those that ship); their functions
              are not learned from. Both: name,input_size,cos,exec_time, with
              the cache that it was measured on in FILE.json beside it:
              {"geometry": {"ways": 16, "wayBytes": 131072}}, the default
  --json      the report as JSON, with all confidence intervals
  --quick     3 points and all points only, 3 folds, no sizes left out
  --folds     how often methods that are dear to train are trained; all: once
              a function (default: 10)
  --seed      of folds, pairs of sizes and confidence intervals (default: 1)
  --methods   only these`;

/** @throws Error with a sentence about what is wrong */
export function parseOptions(args: readonly string[], known: readonly Method[]): CliOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      train: { type: 'string' },
      test: { type: 'string' },
      json: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      folds: { type: 'string' },
      seed: { type: 'string', default: '1' },
      methods: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return 'help';
  const { train = null, test = null, json, quick } = values;
  return {
    train,
    test,
    json,
    quick,
    folds: foldsOf(values.folds ?? (quick ? '3' : '10')),
    seed: wholeNumber('--seed', values.seed, 0),
    methods: methodsOf(values.methods, known),
  };
}

const foldsOf = (text: string): number | 'all' => (text === 'all' ? text : wholeNumber('--folds', text, 2));

function wholeNumber(flag: string, text: string, least: number): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new Error(`${flag} ${text} is no whole number of at least ${least}`);
}

function methodsOf(text: string | undefined, known: readonly Method[]): readonly Method[] {
  const names = text?.split(',').map((name) => name.trim());
  const unknown = names?.find((name) => !known.some((method) => method.name === name));
  if (unknown !== undefined) {
    throw new Error(`--methods ${unknown}: there are ${known.map(({ name }) => name).join(', ')}`);
  }
  return known.filter(({ name }) => names?.includes(name) ?? true);
}
