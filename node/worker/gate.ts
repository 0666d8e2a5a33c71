/**
 * Holds a program before its first instruction, so that its process can be put into its partition and control group:
 * a shell waits for a line on descriptor 3 and then becomes the program. When the daemon dies the line never comes, the
 * read ends, and so does the shell.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { resolveProgram } from './command.ts';

export const GATE_DESCRIPTOR = 3;

/** Shells put variables of their own into the environment. */
const SCRIPT = `read -r go <&${GATE_DESCRIPTOR} && unset PWD OLDPWD SHLVL && exec ${GATE_DESCRIPTOR}<&- && exec "$@"`;

/** Path of a shell; dash where it is, since it starts in half the time and adds nothing to the environment. */
export async function findGateShell(searchPath: string): Promise<string | null> {
  for (const name of ['dash', 'sh']) {
    const found = await resolveProgram(name, searchPath, '/');
    if (found.ok) return found.value;
  }
  return null;
}

/** The same program behind a gate. */
export function gateArguments(shell: string, words: readonly string[]): readonly [string, ...string[]] {
  return [shell, '-c', SCRIPT, 'gate', ...words];
}

export class Gate {
  readonly #pipe: Writable;

  /** `child` was started with a pipe as its third descriptor. */
  constructor(child: ChildProcess) {
    this.#pipe = child.stdio[GATE_DESCRIPTOR] as Writable;
    // It breaks when the shell was killed at the gate; the end of the process tells that.
    this.#pipe.on('error', () => undefined);
  }

  open(): void {
    this.#pipe.end('go\n', () => this.#pipe.destroy());
  }

  /** The program is not to start: the shell ends. */
  async close(): Promise<void> {
    const closed = this.#pipe.closed ? null : once(this.#pipe, 'close');
    this.#pipe.destroy();
    await closed;
  }
}
