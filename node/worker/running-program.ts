/** One program from its start, behind a latch if need be, to the moment when nothing of it is left. */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import type { Clock, Logger } from '../ports.ts';
import { readProcess } from '../procfs.ts';
import { startProcess } from '../start-process.ts';
import { Capture } from './capture.ts';
import type { DiskWatch } from './disk-watch.ts';
import type { Isolator } from './isolation/isolator.ts';
import type { RunCgroup } from './isolation/run-cgroup.ts';
import type { LaunchedProcess, LaunchFailure, LaunchOrder, ProcessEnd } from './launcher.ts';
import type { Leftovers } from './leftovers.ts';
import type { PipePool } from './pipe-pool.ts';
import { type OutputPipe, openStreams, type ProgramStreams } from './program-streams.ts';
import { killAttempt } from './reaper.ts';
import { removeSecrets } from './secret-files.ts';
import { latched, StartLatch } from './start-latch.ts';
import { recordRoot } from './work-directory.ts';

/** What stands ready in the working directory. */
export interface Prepared {
  readonly order: LaunchOrder;
  readonly directory: string;
  readonly program: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string>>;
  /** Directory of its secrets; null: it has none. */
  readonly secrets: string | null;
  /** What was put into the directory. */
  readonly bytes: number;
}

export interface StartDependencies {
  readonly isolator: Isolator;
  readonly pipes: PipePool;
  /** Path of a shell that can wait as a latch. */
  readonly shell: string;
  readonly kill: AbortSignal;
  /** Null: what it keeps on disk isn't watched. */
  readonly disk: DiskWatch | null;
  readonly leftovers: Leftovers;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Spawned {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly streams: ProgramStreams;
  /** Its control group; null without one. */
  readonly group: RunCgroup | null;
  readonly latch: StartLatch | null;
}

type Exit = Omit<ProcessEnd, 'stdout' | 'stderr' | 'outOfMemoryAtBytes' | 'overDisk'>;

export const KILLED: LaunchFailure = { code: 'KILLED', message: 'it was killed before it started' };

export const notStarted = (message: string): Outcome<never, LaunchFailure> =>
  fail({ code: 'NOT_STARTED', message });

/** A failure leaves nothing running. Throws when descriptors, processes or memory run out. */
export async function startProgram(
  prepared: Prepared,
  dependencies: StartDependencies,
): Promise<Outcome<LaunchedProcess, LaunchFailure>> {
  const { order } = prepared;
  const { isolator, clock } = dependencies;
  let startedAtMs = clock.nowMs();
  let startedAtNs = process.hrtime.bigint();
  const spawned = await spawnProgram(prepared, dependencies);
  const { pid, latch } = spawned;
  // In the same turn as the start, or its end may be missed.
  const running = supervise(prepared, spawned, dependencies, () => startedAtNs);
  if (latch !== null) {
    const refused = await enter(order, spawned, dependencies.kill);
    if (refused !== null) {
      await latch.discard();
      await running.ended;
      return refused;
    }
    startedAtMs = clock.nowMs();
    startedAtNs = process.hrtime.bigint();
    latch.release();
  }
  const cpus = isolator.pins ? order.cpus : [];
  const isolation = { ...isolator.describe(order.user), pinned: cpus.length > 0 };
  return succeed({ pid, cpus, startedAtMs, isolation, ...running });
}

/** Behind a latch, when there is something to be done before the program's first instruction. */
async function spawnProgram(
  { order, directory, program, environment, secrets }: Prepared,
  { isolator, pipes, shell }: StartDependencies,
): Promise<Spawned> {
  const words = await isolator.wrap(order.user, order.cpus, directory, program, secrets);
  const group = isolator.createGroup(basename(directory));
  const held = group !== null || order.enter != null;
  const [file, ...args] = held ? latched(shell, words) : words;
  let streams: ProgramStreams | null = null;
  try {
    streams = await openStreams(pipes, {
      inputPath: `${directory}.in`,
      input: order.parameters,
      owner: isolator.ownerOf(order.user),
      latched: held,
      filterFd: isolator.openFilter(),
    });
    const stdio = [...streams.stdio];
    // In a session and process group of its own.
    const options = { cwd: directory, env: environment, detached: true, stdio };
    const started = await startProcess(() => spawn(file, args, options));
    if (!started.ok) throw started.error;
    const child = started.value;
    streams.handOver();
    return { child, pid: child.pid, streams, group, latch: held ? new StartLatch(child) : null };
  } catch (error) {
    streams?.discard();
    await group?.remove();
    throw error;
  }
}

/** Null once the process is where it belongs, or why it must not go on. */
async function enter(
  order: LaunchOrder,
  { pid, group }: Spawned,
  kill: AbortSignal,
): Promise<Outcome<never, LaunchFailure> | null> {
  try {
    group?.enter(pid);
    await order.enter?.(pid);
    return kill.aborted ? fail(KILLED) : null;
  } catch (error) {
    if (kill.aborted) return fail(KILLED);
    const reason = error instanceof Error ? error.message : String(error);
    return notStarted(`the program could not be put into its partition or control group: ${reason}`);
  }
}

function supervise(
  { order, directory, bytes }: Prepared,
  { child, pid, streams, group }: Spawned,
  { isolator, kill, disk, leftovers, clock, logger }: StartDependencies,
  startedAtNs: () => bigint,
): Pick<LaunchedProcess, 'output' | 'ended'> {
  const { runId, attempt, outputLimitBytes } = order;
  const user = order.user.own ? order.user.user : null;
  const captureOf = (pipe: OutputPipe | null, made: Readable | null): Capture =>
    pipe === null
      ? new Capture(made, outputLimitBytes)
      : new Capture(pipe.reader, outputLimitBytes, pipe.readFd);
  const stdout = captureOf(streams.stdout, child.stdout);
  const stderr = captureOf(streams.stderr, child.stderr);
  const root = { pid, startTicks: readProcess(pid)?.startTicks ?? 0 };
  // Only needed if this daemon crashes, so nothing waits for it but the removal.
  const recorded = recordRoot(directory, root).catch((error: unknown) => {
    logger.warn({ err: error, runId }, 'process of a run could not be recorded');
  });
  // Never rejects: nobody hears of the first before the program ends, and what it fails at the last tries again.
  const sweep = async () => {
    try {
      await group?.kill();
      // Also after the group: a program of the daemon's own user may have left it.
      await killAttempt({ runId, attempt, directory, root, user }, { clock, logger });
    } catch (error) {
      logger.error({ err: error, runId }, 'processes of a run could not be looked for or killed');
    }
  };
  const cleanUp = async () => {
    await Promise.all([
      recorded,
      group?.remove(),
      order.instrument?.collect(directory),
      removeSecrets(directory).catch((error: unknown) => {
        logger.error({ err: error, runId }, 'secrets of a run could not be removed');
      }),
    ]);
    await leftovers.remove(directory);
    unwatch?.();
  };
  let overDisk: string | null = null;
  const full = new AbortController();
  const unwatch = disk?.watch({
    directory,
    pid,
    uid: user?.uid ?? null,
    reachesShared: !isolator.sandboxed,
    readWrittenBytes: () => group?.readWrittenBytes() ?? 0,
    startBytes: bytes,
    end: (why) => {
      overDisk = why;
      full.abort();
    },
  });
  let killing: Promise<unknown> = Promise.resolve();
  const kills = AbortSignal.any([kill, full.signal]);
  const exited = watchExit(child, kills, startedAtNs, isolator.sandboxed, () => {
    killing = sweep();
  });
  const conclude = async (): Promise<ProcessEnd> => {
    const exit = await exited;
    // Both must be over: a sweep that goes on would kill a later start of the same attempt.
    await Promise.all([sweep(), killing]);
    const outOfMemoryAtBytes = group?.wasOutOfMemory() ? isolator.memoryLimitBytes : null;
    const [out, err] = await Promise.all([stdout.drain(clock), stderr.drain(clock), cleanUp()]);
    return { ...exit, stdout: out, stderr: err, outOfMemoryAtBytes, overDisk };
  };
  return {
    output: (stream, offset) => (stream === 'stdout' ? stdout : stderr).from(offset),
    ended: conclude(),
  };
}

/**
 * Resolves as soon as the program itself has ended, whoever still holds its pipes.
 * @param startedAtNs asked for at the end: a latch may hold the program up
 */
function watchExit(
  child: ChildProcess,
  kill: AbortSignal,
  startedAtNs: () => bigint,
  sandboxed: boolean,
  sweep: () => void,
): Promise<Exit> {
  let killed = false;
  const onKill = () => {
    killed = true;
    sweep();
  };
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      const executionTimeNs = Number(process.hrtime.bigint() - startedAtNs());
      kill.removeEventListener('abort', onKill);
      resolve({ ...readExit(code, signal, sandboxed), executionTimeNs, killed });
    });
    kill.addEventListener('abort', onKill, { once: true });
    if (kill.aborted) onKill();
  });
}

/** Bubblewrap tells a signal as a shell does; a program that itself ends with such a status says the same. */
function readExit(
  code: number | null,
  signal: NodeJS.Signals | null,
  sandboxed: boolean,
): Pick<Exit, 'exitStatus' | 'signal'> {
  if (code === null) return { exitStatus: 128 + (signal === null ? 0 : constants.signals[signal]), signal };
  const told = Object.entries(constants.signals).find(([, number]) => sandboxed && number === code - 128);
  return { exitStatus: code, signal: told?.[0] ?? null };
}
