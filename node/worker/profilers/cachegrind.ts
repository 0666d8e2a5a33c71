/**
 * Valgrind's simulated cache (Cachegrind manual, valgrind.org/docs/manual/cg-manual.html): k ways are `--LL` of k times
 * the way size with k-fold associativity, so the number of sets stays, which is what a capacity mask of k ways does.
 * Deterministic, and it needs no cache allocation; 30 to 100 times slower than the program alone.
 *
 * Processes that the program starts are measured too, each in a cache of its own, and added up. A process that forks
 * hands its counts on to the child, where they count again.
 */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { chown, type FileHandle, mkdir, open, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type CachegrindSummary,
  censusOf,
  estimate,
  L1_CACHE,
  parseSummary,
} from '../../../predictor/cachegrind.ts';
import { isValid } from '../../../protocols/schema/check.ts';
import { fail, type Outcome, succeed } from '../../../protocols/schema/outcome.ts';
import { Measurement } from '../../../protocols/schema/run.ts';
import type { Measure } from '../../../protocols/schema/task.ts';
import { printable } from '../../../protocols/schema/text.ts';
import { resolveProgram } from '../command.ts';
import type { Owner } from '../work-directory.ts';
import type { Instrument, Profiler } from './types.ts';

/** In the working directory of the program. */
const FOLDER = '.fsched-cachegrind';
const TRIAL_LIMIT_MS = 10_000;
/** The simulated caches stand at the beginning of an output file, the totals and the last complaint at its end. */
const END_BYTES = 1024;
/** More processes than these are not one function. */
const MAX_FILES = 20_000;

export class CachegrindProfiler implements Profiler {
  readonly name = 'cachegrind';
  readonly #searchPath: string;
  #valgrind: string | null = null;

  constructor(options: { readonly searchPath: string }) {
    this.#searchPath = options.searchPath;
  }

  async available(): Promise<Outcome<void, string>> {
    const found = await resolveProgram('valgrind', this.#searchPath, '/');
    if (!found.ok)
      return fail('valgrind is not installed: install the package valgrind and start the node again');
    const works = await new Promise<boolean>((resolve) => {
      // The help of the tool proves that the tool is there; a trial of the simulation would slow every start down.
      const args = ['--command-line-only=yes', '--tool=cachegrind', '--help'];
      execFile(found.value, args, { timeout: TRIAL_LIMIT_MS }, (error) => resolve(error === null));
    });
    if (!works) return fail(`${found.value} has no working cachegrind: install the whole package valgrind`);
    this.#valgrind = found.value;
    return succeed(undefined);
  }

  instrument(measure: Measure): Instrument {
    return new CachegrindInstrument(this.#valgrind ?? 'valgrind', measure);
  }
}

class CachegrindInstrument implements Instrument {
  readonly #valgrind: string;
  readonly #cache: { readonly bytes: number; readonly ways: number };
  #summaries: readonly CachegrindSummary[] = [];
  #complaint: string | null = null;

  constructor(valgrind: string, { ways, wayBytes }: Measure) {
    this.#valgrind = valgrind;
    this.#cache = { bytes: ways * wayBytes, ways };
  }

  async wrap(
    command: readonly [string, ...string[]],
    directory: string,
    owner: Owner,
  ): Promise<readonly [string, ...string[]]> {
    const folder = join(directory, FOLDER);
    await mkdir(folder, { mode: 0o700 });
    // Valgrind writes as the program does. What the program makes of the folder is its own, too, and swept as such.
    if (owner !== null) await chown(folder, owner.uid, owner.gid);
    return [
      this.#valgrind,
      '--command-line-only=yes',
      '--tool=cachegrind',
      '--cache-sim=yes',
      `--I1=${L1_CACHE}`,
      `--D1=${L1_CACHE}`,
      `--LL=${this.#cache.bytes},${this.#cache.ways},64`,
      '--trace-children=yes',
      '--vgdb=no',
      // What valgrind itself has to say must not get into the program's standard error.
      `--log-file=${folder}/%p.log`,
      `--cachegrind-out-file=${folder}/%p.out`,
      ...command,
    ];
  }

  /** The program could write all of this: nothing is followed, waited for or read beyond its ends. */
  async collect(directory: string): Promise<void> {
    try {
      await using folder = await open(
        join(directory, FOLDER),
        constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW,
      );
      const inside = `/proc/self/fd/${folder.fd}`;
      const names: string[] = [];
      for await (const { name } of await opendir(inside)) {
        if (names.push(name) > MAX_FILES) throw new Error(`it started more than ${MAX_FILES / 2} processes`);
      }
      const summaries: CachegrindSummary[] = [];
      // One after the other: a script may have started thousands of processes.
      for (const name of names.filter((each) => each.endsWith('.out'))) {
        const ends = await readEnds(join(inside, name));
        const summary = ends && parseSummary(ends);
        if (summary === null) this.#complaint = `${printable(name)} can't be read`;
        else summaries.push(summary);
      }
      this.#summaries = summaries;
      if (summaries.length > 0 || this.#complaint !== null) return;
      const log = names.find((each) => each.endsWith('.log'));
      if (log !== undefined) this.#complaint = complaintOf((await readEnds(join(inside, log)))?.tail ?? '');
    } catch (error) {
      this.#complaint = error instanceof Error ? error.message : String(error);
    }
  }

  reading(): Outcome<Measurement, string> {
    if (this.#summaries.length === 0) {
      return fail(`valgrind left no counts${this.#complaint === null ? '' : ` (${this.#complaint})`}`);
    }
    const { bytes, ways } = this.#cache;
    if (this.#summaries.some((summary) => summary.llBytes !== bytes || summary.llWays !== ways)) {
      return fail(`valgrind simulated another cache than ${bytes} bytes in ${ways} ways`);
    }
    const measurement = { ...estimate(this.#summaries), processes: censusOf(this.#summaries) };
    // The program may have written into valgrind's files.
    if (!isValid(Measurement, measurement)) return fail('its counts make no sense');
    return succeed(measurement);
  }
}

/** Null for what is no ordinary file of this folder alone, such as a link or a FIFO. */
async function readEnds(path: string): Promise<{ readonly head: string; readonly tail: string } | null> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    () => null,
  );
  const found = await file?.stat();
  if (!file || !found?.isFile() || found.nlink !== 1) return null;
  return {
    head: await readAt(file, 0),
    tail: await readAt(file, Math.max(0, found.size - END_BYTES)),
  };
}

async function readAt(file: FileHandle, position: number): Promise<string> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(END_BYTES), 0, END_BYTES, position);
  return buffer.toString('latin1', 0, bytesRead);
}

/** The last thing that valgrind said, without its `==PID==`. */
function complaintOf(log: string): string | null {
  const lines = log.split('\n').map((line) => line.replace(/^(==|--)\d+(==|--)\s*/, '').trim());
  const last = lines.findLast((line) => line !== '');
  return last === undefined ? null : printable(last.slice(0, 200));
}
