/**
 * Exclusive flock(2) on a directory, which Node doesn't have: a shell that lives as long as we need it takes the lock
 * through util-linux `flock` and keeps the descriptor.
 *
 * The directory is only open while the lock is held or asked for: otherwise it couldn't be unmounted. When this
 * process ends, however it ends, the shell reads the end of its input, and ends, and the lock with it.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { USUAL_PATH } from './search-path.ts';
import { startProcess } from './start-process.ts';

export type FlockErrorCode = 'FLOCK_MISSING' | 'FLOCK_TIMEOUT' | 'FLOCK_FAILED' | 'FLOCK_LOST';

/** Messages say what to do. */
export class FlockError extends Error {
  override readonly name = 'FlockError';
  readonly code: FlockErrorCode;

  constructor(code: FlockErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export interface FlockOptions {
  readonly directory: string;
  /** How long to wait for other programs. @default 10000 */
  readonly timeoutMs?: number;
  /** Where `sh` and `flock` are looked for. @default where a system has them */
  readonly searchPath?: string;
}

const DEFAULT_TIMEOUT_MS = 10_000;
const ENDED = 'failed its helper has ended';

/** Each request is one line, each answer too. `command` keeps a failed redirection from ending the shell. */
const SCRIPT = `
command -v flock >/dev/null || { echo missing; exit; }
echo ready
while read -r request; do
  case $request in
    lock) if ! command exec 9<"$1"; then echo "failed cannot open $1"
          elif flock -x -w "$2" -E 75 9; then echo locked
          else code=$?; exec 9<&-; [ $code = 75 ] && echo timeout || echo "failed flock ended with $code"; fi ;;
    unlock) exec 9<&-; echo unlocked ;;
  esac
done 2>/dev/null`;

export class DirectoryFlock implements AsyncDisposable {
  readonly #options: Required<FlockOptions>;
  #helper: Helper | null = null;

  constructor({ directory, timeoutMs = DEFAULT_TIMEOUT_MS, searchPath = USUAL_PATH }: FlockOptions) {
    this.#options = { directory, timeoutMs, searchPath };
  }

  /** @throws FlockError */
  async acquire(): Promise<void> {
    const { directory, timeoutMs } = this.#options;
    if (this.#helper === null || this.#helper.hasEnded) this.#helper = await Helper.start(this.#options);
    const answer = await this.#helper.ask('lock');
    if (answer === 'locked') return;
    if (answer === 'timeout') {
      const message = `another program has held the lock of ${directory} for ${timeoutMs} ms`;
      throw new FlockError('FLOCK_TIMEOUT', `${message}: find it with "fuser -v ${directory}" or lslocks`);
    }
    throw new FlockError('FLOCK_FAILED', `${directory} can't be locked: ${answer.replace(/^failed /, '')}`);
  }

  /** @throws FlockError when the lock was lost before */
  async release(): Promise<void> {
    if ((await this.#helper?.ask('unlock')) === 'unlocked') return;
    const message = `the helper that held the lock of ${this.#options.directory} has ended`;
    throw new FlockError('FLOCK_LOST', `${message}: others may have changed it meanwhile`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const helper = this.#helper;
    this.#helper = null;
    await helper?.stop();
  }
}

/** The shell. It answers one request after the other. */
class Helper {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: Interface;
  readonly #waiting: ((answer: string) => void)[] = [];
  readonly #ended: Promise<void>;
  hasEnded = false;

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    this.#child.stdin.on('error', () => {});
    this.#child.stderr.resume();
    this.#lines = createInterface({ input: this.#child.stdout });
    this.#lines.on('line', (line) => this.#waiting.shift()?.(line));
    this.#ended = new Promise((resolve) => {
      const end = (why: string) => {
        this.hasEnded = true;
        for (const answer of this.#waiting.splice(0)) answer(why);
        resolve();
      };
      this.#child.on('error', (error) => end(`failed ${error.message}`));
      this.#child.on('close', () => end(ENDED));
    });
  }

  static async start({ directory, timeoutMs, searchPath }: Required<FlockOptions>): Promise<Helper> {
    const seconds = String(timeoutMs / 1000);
    // In a session of its own: a Ctrl-C at our terminal must not end it before we are done.
    const options = { cwd: '/', env: { PATH: searchPath, LC_ALL: 'C' }, detached: true };
    const started = await startProcess(() => spawn('sh', ['-c', SCRIPT, 'sh', directory, seconds], options));
    const helper = started.ok ? new Helper(started.value) : null;
    const greeting = helper === null ? '' : await helper.#answer();
    if (helper !== null && greeting === 'ready') return helper;
    await helper?.stop();
    const why = started.ok ? greeting.replace(/^failed /, '') : started.error.message;
    const reason = greeting === 'missing' ? '' : ` (${why})`;
    throw new FlockError(
      'FLOCK_MISSING',
      `locking ${directory} needs the programs sh and flock, and room to start them: install util-linux${reason}`,
    );
  }

  ask(request: 'lock' | 'unlock'): Promise<string> {
    const answer = this.#answer();
    this.#child.stdin.write(`${request}\n`);
    return answer;
  }

  /** Ends also a flock that waits: it has the group of processes to itself. */
  async stop(): Promise<void> {
    if (!this.hasEnded && this.#child.pid !== undefined) {
      this.#child.stdin.end();
      try {
        process.kill(-this.#child.pid, 'SIGTERM');
      } catch {
        // It has ended between the two lines.
      }
    }
    await this.#ended;
    this.#lines.close();
  }

  #answer(): Promise<string> {
    return new Promise((resolve) => {
      if (this.hasEnded) resolve(ENDED);
      else this.#waiting.push(resolve);
    });
  }
}
