/** The command line of the dataset tool. */
import { parseArgs } from 'node:util';

export interface DatasetOptions {
  /** Names of functions; null: all. */
  readonly only: readonly string[] | null;
  readonly out: string;
  readonly jobs: number;
}

export const USAGE = `npm run dataset -- [--only NAME[,NAME]] [--out DIR] [--jobs N]
  --only  measure these functions only; needs --out, so that the whole dataset is not replaced by a part of it
  --out   where the tables go (default: predictor/data)
  --jobs  how many points are measured at a time (default: one a core)`;

/** @throws Error with a sentence about the flag that is wrong */
export function parseOptions(
  args: readonly string[],
  defaults: { readonly out: string; readonly jobs: number },
): DatasetOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      out: { type: 'string' },
      jobs: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return 'help';
  const jobs = values.jobs === undefined ? defaults.jobs : Number(values.jobs);
  if (!Number.isSafeInteger(jobs) || jobs < 1)
    throw new Error(`--jobs ${values.jobs} is no whole number above zero`);
  const only = values.only?.split(',').filter((name) => name !== '') ?? null;
  if (only !== null && values.out === undefined) throw new Error('--only needs --out');
  return { only, out: values.out ?? defaults.out, jobs };
}
