/** The real adapter of the process port: Linux processes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { realpath, rmdir } from 'node:fs/promises';
import { constants } from 'node:os';
import { basename, join } from 'node:path';
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import type { Clock, Logger } from '../ports.ts';
import { resolveProgram, splitCommand } from './command.ts';
import { findGateShell, Gate, gateArguments } from './gate.ts';
import type { Isolator } from './isolation/isolator.ts';
import { openIsolation } from './isolation/open-isolation.ts';
import type { RunCgroup } from './isolation/run-cgroup.ts';
import { type IsolationOptions, PLAIN } from './isolation/types.ts';
import { tagOf } from './isolation/work-place.ts';
import type { LaunchedProcess, Launcher, LaunchFailure, LaunchOrder, ProcessEnd } from './launcher.ts';
import { PipePool } from './pipe-pool.ts';
import { readProcess } from './process-table.ts';
import { programEnvironment } from './program-environment.ts';
import { openStreams, type ProgramStreams } from './program-streams.ts';
import { killAttempt } from './reaper.ts';
import { type RunningProgram, superviseProgram } from './running-program.ts';
import {
  findLeftovers,
  isPlainFileName,
  makeWorkDirectory,
  placeTaskFile,
  recordRoot,
  removeWorkDirectory,
} from './work-directory.ts';

export interface ProcessLauncherOptions {
  /** Directory of the working directories; nothing else lives there. */
  readonly directory: string;
  /** The same, where programs run as another user without a sandbox, who must reach it. @default DIRECTORY */
  readonly openDirectory?: string;
  /** What no program may see in a sandbox. @default [] */
  readonly hidden?: readonly string[];
  /** Where programs are looked for, and their own PATH. @default PATH of the daemon */
  readonly searchPath?: string;
  /** LANG of programs. @default LANG of the daemon, else C.UTF-8 */
  readonly lang?: string;
  /** @default the daemon's own user, no limits, no sandbox */
  readonly isolation?: IsolationOptions;
}

export interface ProcessLauncherDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
}

const FALLBACK_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What stands ready in the working directory. */
interface Prepared {
  readonly directory: string;
  readonly program: string;
  readonly args: readonly string[];
}

interface Started {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly streams: ProgramStreams;
  readonly group: RunCgroup | null;
  readonly gate: Gate | null;
  readonly kill: AbortSignal;
  readonly atMs: number;
  /** `process.hrtime.bigint()`. */
  readonly atNs: bigint;
}

/** A program that is running or held at its gate, and the time from which it runs. */
interface Supervised extends RunningProgram {
  /** The time of the program starts to count now. */
  readonly begin: () => void;
}

export class ProcessLauncher implements Launcher {
  readonly #options: ProcessLauncherOptions;
  readonly #searchPath: string;
  readonly #lang: string;
  readonly #deps: ProcessLauncherDependencies;
  readonly #pipes: PipePool;
  #isolator: Isolator | null = null;
  #shell = '/bin/sh';

  constructor(options: ProcessLauncherOptions, dependencies: ProcessLauncherDependencies) {
    this.#options = options;
    this.#searchPath = options.searchPath ?? process.env.PATH ?? FALLBACK_PATH;
    this.#lang = options.lang ?? process.env.LANG ?? 'C.UTF-8';
    this.#deps = dependencies;
    this.#pipes = new PipePool(join(options.directory, '.pipes'));
  }

  /** @throws IsolationError: the isolation that was asked for can't be had */
  async start(): Promise<void> {
    const { directory, openDirectory = directory, hidden = [], isolation = PLAIN } = this.#options;
    const { clock, logger } = this.#deps;
    await Promise.all([...new Set([directory, openDirectory])].map((root) => this.#sweepLeftovers(root)));
    const searchPath = this.#searchPath;
    const isolator = await openIsolation(
      isolation,
      { searchPath, directory, openDirectory, hidden, tag: tagOf(directory) },
      clock,
    );
    this.#isolator = isolator;
    const [shell] = await Promise.all([findGateShell(searchPath), this.#pipes.start()]);
    this.#shell = shell ?? this.#shell;
    for (const note of isolator.notes) logger.warn({}, note);
    logger.info({ isolation: isolator.describe() }, 'programs are isolated');
  }

  async stop(): Promise<void> {
    await this.#pipes.stop();
    await this.#isolator?.[Symbol.asyncDispose]();
    const { directory, openDirectory = directory } = this.#options;
    // It lies among directories of others, and is empty by now.
    if (openDirectory !== directory) await rmdir(openDirectory).catch(() => undefined);
  }

  async launch(order: LaunchOrder, kill: AbortSignal): Promise<Outcome<LaunchedProcess, LaunchFailure>> {
    let directory: string | null = null;
    let started = false;
    try {
      if (!/^[\w.-]{1,128}$/.test(order.runId) || !isPlainFileName(order.fileName)) {
        return notStarted('The name of the run or of the file is not usable as a file name.');
      }
      const { root, owner } = this.#ready();
      directory = await makeWorkDirectory(root, order.runId, order.attempt, owner);
      const prepared = await this.#prepare(order, directory);
      if (!prepared.ok) return prepared;
      if (kill.aborted) return fail({ code: 'KILLED', message: 'It was killed before it started.' });
      const program = await this.#start(order, prepared.value, kill);
      started = program.ok;
      return program;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return notStarted(
        `The program could not be started: ${reason}. Free disk space or memory on the node.`,
      );
    } finally {
      if (directory !== null && !started) await this.#remove(directory);
    }
  }

  async #prepare(order: LaunchOrder, directory: string): Promise<Outcome<Prepared, LaunchFailure>> {
    const words = splitCommand(order.command);
    if (!words.ok) return words;
    const [name = '', ...args] = words.value;
    const placing = placeTaskFile(order.filePath, directory, order.fileName, this.#ready().owner);
    // A program with a slash in its name may be the file that is being placed.
    if (name.includes('/')) await placing;
    const [file, program] = await Promise.all([placing, resolveProgram(name, this.#searchPath, directory)]);
    if (!program.ok) return program;
    const command = [program.value, ...args, file, String(order.inputSize)] as const;
    const [started, ...rest] = order.instrument ? await order.instrument.wrap(command, directory) : command;
    return succeed({ directory, program: started, args: rest });
  }

  /** Behind a gate, when there is something to be done before the program's first instruction. */
  async #start(
    order: LaunchOrder,
    prepared: Prepared,
    kill: AbortSignal,
  ): Promise<Outcome<LaunchedProcess, LaunchFailure>> {
    const isolator = this.#ready();
    const started = await this.#spawn(order, prepared, kill);
    const { pid, gate } = started;
    // In the same turn as the start, or its end may be missed.
    const { begin, ...running } = this.#supervise(order, prepared.directory, started);
    if (gate !== null) {
      const refused = await this.#enter(order, started);
      if (refused !== null) {
        await gate.close();
        await running.ended;
        return refused;
      }
      begin();
      gate.open();
    }
    const cpus = isolator.pins ? order.cpus : [];
    const isolation = { ...isolator.describe(), pinned: cpus.length > 0 };
    const startedAtMs = gate === null ? started.atMs : this.#deps.clock.nowMs();
    return succeed({ pid, cpus, startedAtMs, isolation, ...running });
  }

  async #spawn(order: LaunchOrder, prepared: Prepared, kill: AbortSignal): Promise<Started> {
    const isolator = this.#ready();
    const { directory } = prepared;
    const words = isolator.wrap(order.cpus, directory, [prepared.program, ...prepared.args]);
    const group = isolator.createGroup(basename(directory));
    const shell = group === null && order.enter == null ? null : this.#shell;
    const [program, ...args] = shell === null ? words : gateArguments(shell, words);
    const atMs = this.#deps.clock.nowMs();
    const atNs = process.hrtime.bigint();
    let streams: ProgramStreams | null = null;
    try {
      streams = await openStreams(this.#pipes, {
        inputPath: `${directory}.in`,
        input: order.parameters,
        owner: isolator.owner,
        gated: shell !== null,
      });
      const child = spawn(program, args, {
        cwd: directory,
        env: programEnvironment(order, { directory, searchPath: this.#searchPath, lang: this.#lang }),
        // A session and process group of its own.
        detached: true,
        stdio: [...streams.stdio],
      });
      const { pid } = child;
      if (pid === undefined) throw await new Promise<Error>((resolve) => child.once('error', resolve));
      streams.handOver();
      return { child, pid, streams, group, gate: shell === null ? null : new Gate(child), kill, atMs, atNs };
    } catch (error) {
      streams?.discard();
      await group?.remove();
      throw error;
    }
  }

  /** Null once the process is where it belongs, or why it must not go on. */
  async #enter(
    order: LaunchOrder,
    { pid, group, kill }: Started,
  ): Promise<Outcome<never, LaunchFailure> | null> {
    try {
      group?.enter(pid);
      await order.enter?.(pid);
    } catch (error) {
      if (kill.aborted) return fail({ code: 'KILLED', message: 'It was killed before it started.' });
      const reason = error instanceof Error ? error.message : String(error);
      return notStarted(`The program could not be put into its partition or control group: ${reason}.`);
    }
    return kill.aborted ? fail({ code: 'KILLED', message: 'It was killed before it started.' }) : null;
  }

  #supervise(order: LaunchOrder, directory: string, started: Started): Supervised {
    const { clock, logger } = this.#deps;
    const { child, pid, streams, kill, group } = started;
    const { runId, attempt, outputLimitBytes } = order;
    const isolator = this.#ready();
    const root = { pid, startTicks: readProcess(pid)?.startTicks ?? 0 };
    // Only needed if this daemon crashes, so nothing waits for it but the removal.
    const recorded = recordRoot(directory, root).catch((error: unknown) => {
      logger.warn({ err: error, runId }, 'process of a run could not be recorded');
    });
    const cleanUp = async () => {
      await Promise.all([recorded, group?.remove(), order.instrument?.collect(directory)]);
      await this.#remove(directory);
    };
    let startedAtNs = started.atNs;
    const running = superviseProgram(
      {
        marks: { runId, attempt, directory, root },
        startedAtNs: () => startedAtNs,
        outputLimitBytes,
        group,
        memoryLimitBytes: isolator.memoryLimitBytes,
        readExit: isolator.sandboxed ? readSandboxExit : readPlainExit,
        cleanUp,
      },
      {
        child,
        stdout: streams.stdout ?? child.stdout,
        stderr: streams.stderr ?? child.stderr,
        kill,
        clock,
        logger,
      },
    );
    const begin = () => {
      startedAtNs = process.hrtime.bigint();
    };
    return { ...running, begin };
  }

  #ready(): Isolator {
    if (this.#isolator === null) throw new Error('the launcher was not started');
    return this.#isolator;
  }

  async #sweepLeftovers(directory: string): Promise<void> {
    const root = await realpath(directory).catch(() => null);
    if (root === null) return;
    const leftovers = await findLeftovers(root);
    await Promise.all(
      leftovers.map(async (marks) => {
        this.#deps.logger.info(
          { runId: marks.runId, attempt: marks.attempt },
          'run left by a crash is swept',
        );
        await killAttempt(marks, this.#deps);
        await this.#remove(marks.directory);
      }),
    );
  }

  async #remove(directory: string): Promise<void> {
    await removeWorkDirectory(directory).catch((error: unknown) => {
      this.#deps.logger.warn({ err: error, directory }, 'working directory could not be removed');
    });
  }
}

const readPlainExit = (exitStatus: number): Pick<ProcessEnd, 'exitStatus' | 'signal'> => {
  return { exitStatus, signal: null };
};

/** Bubblewrap tells a signal as a shell does; a program that itself ends with such a status says the same. */
function readSandboxExit(exitStatus: number): Pick<ProcessEnd, 'exitStatus' | 'signal'> {
  const number = exitStatus - 128;
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return { exitStatus, signal: found?.[0] ?? null };
}

function notStarted(message: string): Outcome<never, LaunchFailure> {
  return fail({ code: 'NOT_STARTED', message });
}
