/**
 * Holds a program before its first instruction, so that its process can be put into its partition and control group:
 * a shell waits for a line on descriptor 3 and then becomes the program. When the daemon dies the line never comes, the
 * read ends, and so does the shell.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { resolveProgram } from './command.ts';

const DESCRIPTOR = 3;

/** Shells put variables of their own into the environment. */
const SCRIPT = `read -r go <&${DESCRIPTOR} && unset PWD OLDPWD SHLVL && exec ${DESCRIPTOR}<&- && exec "$@"`;

/** Path of a shell; dash where it is, since it starts in half the time and adds nothing to the environment. */
export async function findLatchShell(searchPath: string): Promise<string> {
  for (const name of ['dash', 'sh']) {
    const found = await resolveProgram(name, searchPath, '/');
    if (found.ok) return found.value;
  }
  return '/bin/sh';
}

/** The same program behind a latch. */
export function latched(shell: string, words: readonly string[]): readonly [string, ...string[]] {
  return [shell, '-c', SCRIPT, 'latch', ...words];
}

export class StartLatch {
  readonly #pipe: Writable;

  /** `child` was started with a pipe as its third descriptor. */
  constructor(child: ChildProcess) {
    this.#pipe = child.stdio[DESCRIPTOR] as Writable;
    // It breaks when the shell was killed while it waited; the end of the process tells that.
    this.#pipe.on('error', () => undefined);
  }

  /** The program starts. */
  release(): void {
    this.#pipe.end('go\n', () => this.#pipe.destroy());
  }

  /** The program is not to start: the shell ends. */
  async discard(): Promise<void> {
    const closed = this.#pipe.closed ? null : once(this.#pipe, 'close');
    this.#pipe.destroy();
    await closed;
  }
}
