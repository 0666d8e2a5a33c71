/** The real adapter of the process port: Linux processes. */
import { realpath, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isValid } from '../../protocols/schema/check.ts';
import { FileName } from '../../protocols/schema/fields.ts';
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import { isFull } from '../disk/space.ts';
import type { Clock, Logger } from '../ports.ts';
import { atATime } from './at-a-time.ts';
import { resolveProgram, splitCommand } from './command.ts';
import type { DiskWatch } from './disk-watch.ts';
import type { Isolator } from './isolation/isolator.ts';
import { openIsolation } from './isolation/open-isolation.ts';
import { recoverClaims } from './isolation/run-users.ts';
import { type IsolationOptions, type LentUser, PLAIN } from './isolation/types.ts';
import { CLAIMS_DIRECTORY, UidClaims } from './isolation/uid-claims.ts';
import { userSweep } from './isolation/user-sweep.ts';
import type { LaunchedProcess, Launcher, LaunchFailure, LaunchOrder } from './launcher.ts';
import { Leftovers } from './leftovers.ts';
import { PipePool } from './pipe-pool.ts';
import { killAttempt } from './reaper.ts';
import { KILLED, notStarted, type Prepared, startProgram } from './running-program.ts';
import { clearSecrets, placeSecrets, removeSecrets } from './secret-files.ts';
import { findLatchShell } from './start-latch.ts';
import {
  findLeftovers,
  giveTo,
  makeWorkDirectory,
  placeTaskFile,
  tagOf,
  workDirectoryOf,
} from './work-directory.ts';

export interface ProcessLauncherOptions {
  /** Directory of the working directories; nothing else lives there. */
  readonly directory: string;
  /** The same, where programs run as another user without a sandbox, who must reach it. @default DIRECTORY */
  readonly openDirectory?: string;
  /** What no program may see in a sandbox. @default [] */
  readonly hidden?: readonly string[];
  /** Where programs are looked for, and their own PATH; when empty, the usual places. */
  readonly searchPath: string;
  /** LANG of programs. @default C.UTF-8 */
  readonly lang?: string;
  /** @default the daemon's own user, no limits, no sandbox */
  readonly isolation?: IsolationOptions;
}

export interface ProcessLauncherDependencies {
  /** What runs keep on disk is watched by it. @default null: by nobody */
  readonly disk?: DiskWatch | null;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Linux takes no environment variable above 128 KiB (MAX_ARG_STRLEN, execve(2)). */
const MAX_PARAMETERS_VARIABLE_BYTES = 100 * 1024;

const SWEEPS_AT_A_TIME = 4;

/** What is found out at the start. */
interface Ready {
  readonly isolator: Isolator;
  readonly shell: string;
}

export class ProcessLauncher implements Launcher {
  readonly #options: ProcessLauncherOptions;
  readonly #searchPath: string;
  readonly #deps: ProcessLauncherDependencies;
  readonly #pipes: PipePool;
  readonly #leftovers: Leftovers;
  #swept: Promise<readonly number[]> | null = null;
  #ready: Ready | null = null;

  constructor(options: ProcessLauncherOptions, dependencies: ProcessLauncherDependencies) {
    this.#options = options;
    this.#searchPath = options.searchPath;
    this.#deps = dependencies;
    this.#pipes = new PipePool(join(options.directory, '.pipes'));
    this.#leftovers = new Leftovers(dependencies);
  }

  /** What of runs that are over can't be removed; null: nothing. */
  get trouble(): string | null {
    const troubles = [this.#leftovers.trouble, this.#ready?.isolator.trouble ?? null];
    return troubles.filter((trouble) => trouble !== null).join('; ') || null;
  }

  /** Where programs work, once that is known. */
  get root(): string | null {
    return this.#ready?.isolator.root ?? null;
  }

  /** See `Isolator`; before the start nothing is known, so it is feared. */
  get speaksAsDaemon(): boolean {
    return this.#ready?.isolator.speaksAsDaemon ?? true;
  }

  /** @throws IsolationError: the isolation that was asked for can't be had */
  async start(): Promise<void> {
    const { directory, openDirectory = directory, hidden = [], isolation = PLAIN } = this.#options;
    const { clock, logger } = this.#deps;
    await this.sweep();
    const searchPath = this.#searchPath;
    const place = { searchPath, directory, openDirectory, hidden, tag: tagOf(directory) };
    const claimsDirectory = CLAIMS_DIRECTORY;
    const isolator = await openIsolation(isolation, { ...place, claimsDirectory }, { clock, logger });
    await isolator.recoverUsers();
    const [shell] = await Promise.all([findLatchShell(searchPath), this.#pipes.start()]);
    this.#ready = { isolator, shell };
    for (const note of isolator.notes) logger.warn({}, note);
    logger.info({ isolation: isolator.describe(null) }, 'programs are isolated');
  }

  /**
   * Ends and removes what an earlier start of the daemon left, once, by itself or at the start. False when that was
   * done before, or there was nothing.
   */
  async sweep(): Promise<boolean> {
    const { directory, openDirectory = directory } = this.#options;
    if (this.#swept !== null) {
      await this.#swept;
      return false;
    }
    const roots = [...new Set([directory, openDirectory])];
    this.#swept = this.#recoverUsers().then(() =>
      Promise.all(roots.map((root) => this.#sweepLeftovers(root))),
    );
    return (await this.#swept).some((count) => count > 0);
  }

  async stop(): Promise<void> {
    this.#leftovers.stop();
    await this.#pipes.stop();
    if (this.#ready !== null) await clearSecrets(this.#ready.isolator.root);
    await this.#ready?.isolator[Symbol.asyncDispose]();
    const { directory, openDirectory = directory } = this.#options;
    // It lies among directories of others, and is empty by now.
    if (openDirectory !== directory) await rmdir(openDirectory).catch(() => undefined);
  }

  async lendUser(runId: string, attempt: number): Promise<Outcome<LentUser, string>> {
    if (this.#ready === null) throw new Error('the launcher was not started');
    const { isolator } = this.#ready;
    try {
      const lent = await isolator.lendUser(workDirectoryOf(isolator.root, runId, attempt));
      return lent === null ? fail('all users of --run-uids are in use on this node') : succeed(lent);
    } catch (error) {
      return fail(`no user can be had: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  async launch(order: LaunchOrder, kill: AbortSignal): Promise<Outcome<LaunchedProcess, LaunchFailure>> {
    if (this.#ready === null) throw new Error('the launcher was not started');
    const { isolator } = this.#ready;
    let directory: string | null = null;
    let started = false;
    try {
      if (!isValid(FileName, order.fileName)) {
        return notStarted('the name of the file is not usable as a file name');
      }
      directory = await makeWorkDirectory(isolator.root, order.runId, order.attempt);
      const prepared = await this.#prepare(order, directory, isolator);
      if (!prepared.ok) return prepared;
      if (kill.aborted) return fail(KILLED);
      const { disk = null } = this.#deps;
      const own = { disk, pipes: this.#pipes, leftovers: this.#leftovers };
      const dependencies = { ...this.#deps, ...this.#ready, ...own, kill };
      const program = await startProgram(prepared.value, dependencies);
      started = program.ok;
      return program;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (isFull(error)) return fail({ code: 'NO_ROOM', message: `the disk of the node is full: ${reason}` });
      return notStarted(`the program could not be started: ${reason}; free memory on the node`);
    } finally {
      if (directory !== null && !started) {
        await removeSecrets(directory);
        await this.#leftovers.remove(directory);
      }
    }
  }

  async #prepare(
    order: LaunchOrder,
    directory: string,
    isolator: Isolator,
  ): Promise<Outcome<Prepared, LaunchFailure>> {
    const words = splitCommand(order.command);
    if (!words.ok) return words;
    const [name = '', ...args] = words.value;
    const owner = isolator.ownerOf(order.user);
    const placing = placeTaskFile(order.filePath, directory, order.fileName, owner);
    // A program with a slash in its name may be the file that is being placed.
    if (name.includes('/')) await placing;
    const allows = (path: string) => isolator.allows(order.user, path, directory);
    const [file, found] = await Promise.all([
      placing,
      resolveProgram(name, this.#searchPath, directory, allows),
    ]);
    if (!found.ok) return found;
    const command = [found.value, ...args, file, String(order.inputSize)] as const;
    const program = order.instrument ? await order.instrument.wrap(command, directory, owner) : command;
    const { size: bytes } = await stat(file);
    await giveTo(owner, directory);
    const secrets = order.secrets.length === 0 ? null : await placeSecrets(directory, order.secrets, owner);
    const environment = {
      ...this.#environment(order, directory),
      ...(secrets !== null && { FSCHED_SECRETS_DIR: isolator.shownSecrets(secrets) }),
    };
    return succeed({ order, directory, program, environment, bytes, secrets });
  }

  /** The environment of a program: these variables and no others. */
  #environment(order: LaunchOrder, directory: string): Record<string, string> {
    const { parameters } = order;
    const handed = parameters !== null && Buffer.byteLength(parameters) <= MAX_PARAMETERS_VARIABLE_BYTES;
    return {
      PATH: this.#searchPath,
      HOME: directory,
      TMPDIR: directory,
      LANG: this.#options.lang ?? 'C.UTF-8',
      FSCHED_RUN_ID: order.runId,
      FSCHED_ATTEMPT: String(order.attempt),
      FSCHED_TASK_ID: order.taskId,
      FSCHED_INPUT_SIZE: String(order.inputSize),
      ...(handed && { FSCHED_PARAMETERS: parameters }),
    };
  }

  /** Before any directory: what lives of a user could stop all that removes its files. */
  async #recoverUsers(): Promise<void> {
    const { isolation = PLAIN, searchPath } = this.#options;
    if (isolation.runAs === null || typeof isolation.runAs === 'string') return;
    const claims = new UidClaims({ directory: CLAIMS_DIRECTORY, searchPath });
    await recoverClaims(claims, { sweep: userSweep(this.#deps), logger: this.#deps.logger });
  }

  /** How many there were. */
  async #sweepLeftovers(directory: string): Promise<number> {
    const { logger } = this.#deps;
    const root = await realpath(directory).catch(() => null);
    if (root === null) return 0;
    const left = await findLeftovers(root);
    // There may be thousands, and each takes a look at all processes and a process to remove it.
    await atATime(SWEEPS_AT_A_TIME, left, async (marks) => {
      const { runId, attempt } = marks;
      logger.info({ runId, attempt }, 'run left by a crash is swept');
      await killAttempt(marks, this.#deps);
    });
    await atATime(SWEEPS_AT_A_TIME, left, ({ directory: each }) => this.#leftovers.remove(each));
    await clearSecrets(root);
    return left.length;
  }
}
