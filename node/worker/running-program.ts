/** From the start of a program to the moment when nothing of it is left. */
import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import type { Clock, Logger } from '../ports.ts';
import type { RunCgroup } from './isolation/run-cgroup.ts';
import type { LaunchedProcess, ProcessEnd } from './launcher.ts';
import { OutputBuffer } from './output-buffer.ts';
import { type AttemptMarks, killAttempt } from './reaper.ts';

export type RunningProgram = Pick<LaunchedProcess, 'output' | 'ended'>;

export interface Supervision {
  readonly marks: AttemptMarks;
  /** `process.hrtime.bigint()` at the start, asked for at the end: a gate may hold the program up. */
  readonly startedAtNs: () => bigint;
  readonly outputLimitBytes: number;
  /** Its control group; null without one. */
  readonly group: RunCgroup | null;
  /** Of the group, for the report. */
  readonly memoryLimitBytes: number | null;
  /** How the exit status of what was started tells the program's own. */
  readonly readExit: (code: number) => Pick<ProcessEnd, 'exitStatus' | 'signal'>;
  /** Removes the working directory; never rejects. */
  readonly cleanUp: () => Promise<void>;
}

export interface SupervisionDependencies {
  readonly child: ChildProcess;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  readonly kill: AbortSignal;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** With every writer dead a pipe ends at once; only a process that escaped could hold it longer. */
const DRAIN_MS = 1000;

/** Call it in the same turn of the event loop as `spawn`, or the end may be missed. */
export function superviseProgram(
  options: Supervision,
  dependencies: SupervisionDependencies,
): RunningProgram {
  const { kill, clock } = dependencies;
  const stdout = new Capture(dependencies.stdout, options.outputLimitBytes);
  const stderr = new Capture(dependencies.stderr, options.outputLimitBytes);
  const sweep = async () => {
    await options.group?.kill();
    // Also after the group: a program of the daemon's own user may have left it.
    await killAttempt(options.marks, dependencies);
  };
  let killing: Promise<unknown> = Promise.resolve();
  const exited = watchExit(dependencies.child, options, kill, () => {
    killing = sweep();
  });
  const conclude = async (): Promise<ProcessEnd> => {
    const exit = await exited;
    // Both must be over: a sweep that goes on would kill a later start of the same attempt.
    await Promise.all([sweep(), killing]);
    const outOfMemoryAtBytes = options.group?.wasOutOfMemory() ? options.memoryLimitBytes : null;
    await Promise.all([stdout.drain(clock), stderr.drain(clock), options.cleanUp()]);
    const captured = { stdout: stdout.buffer.captured(), stderr: stderr.buffer.captured() };
    return { ...exit, ...captured, outOfMemoryAtBytes };
  };
  return {
    output: (stream, offset) => (stream === 'stdout' ? stdout : stderr).buffer.from(offset),
    ended: conclude(),
  };
}

/** Resolves as soon as the program itself has ended, whoever still holds its pipes. */
function watchExit(
  child: ChildProcess,
  { startedAtNs, readExit }: Pick<Supervision, 'startedAtNs' | 'readExit'>,
  kill: AbortSignal,
  sweep: () => void,
): Promise<Pick<ProcessEnd, 'exitStatus' | 'signal' | 'executionTimeNs' | 'killed'>> {
  let killed = false;
  const onKill = () => {
    killed = true;
    sweep();
  };
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      const executionTimeNs = Number(process.hrtime.bigint() - startedAtNs());
      kill.removeEventListener('abort', onKill);
      const exit =
        code === null
          ? { exitStatus: 128 + (signal === null ? 0 : constants.signals[signal]), signal }
          : readExit(code);
      resolve({ ...exit, executionTimeNs, killed });
    });
    kill.addEventListener('abort', onKill, { once: true });
    if (kill.aborted) onKill();
  });
}

/** Reads a stream to its end, keeping the beginning. */
class Capture {
  readonly buffer: OutputBuffer;
  readonly #stream: Readable | null;
  readonly #closed: Promise<void>;

  constructor(stream: Readable | null, limitBytes: number) {
    this.buffer = new OutputBuffer(limitBytes);
    this.#stream = stream;
    this.#closed = new Promise((resolve) => {
      if (stream === null) return resolve();
      stream.once('close', resolve);
      // A broken pipe ends the stream like its end does; 'close' follows.
      stream.on('error', () => undefined);
      stream.on('data', (chunk: Buffer) => this.buffer.append(chunk));
    });
  }

  async drain(clock: Clock): Promise<void> {
    const giveUp = clock.after(DRAIN_MS, () => this.#stream?.destroy());
    await this.#closed;
    giveUp();
  }
}
