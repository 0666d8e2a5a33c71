/** One output stream of a run as bytes: from its worker while it runs, from the record once it is over. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { BlobShelf } from '../../protocols/blob/index.ts';
import { type Answer, fail, succeed } from '../../protocols/schema/outcome.ts';
import { isTerminal, type Output, type Run } from '../../protocols/schema/run.ts';
import type { Mesh } from '../mesh/types.ts';
import { pause } from '../pause.ts';
import type { Clock } from '../ports.ts';
import type { Tables } from '../state/tables.ts';

const POLL_MS = 200;

export interface RunOutputDependencies {
  readonly tables: Tables;
  readonly call: Mesh['call'];
  readonly read: (output: Output) => Promise<Uint8Array | null>;
  readonly clock: Clock;
}

export class RunOutput {
  readonly #deps: RunOutputDependencies;

  constructor(dependencies: RunOutputDependencies) {
    this.#deps = dependencies;
  }

  open(
    id: string,
    stream: 'stdout' | 'stderr',
    options: { readonly follow: boolean; readonly signal: AbortSignal },
  ): Answer<Readable> {
    if (!this.#deps.tables.run(id)) return fail({ code: 'NOT_FOUND', message: `there is no run ${id}` });
    return succeed(Readable.from(this.#chunks(id, stream, options)));
  }

  async *#chunks(
    id: string,
    stream: 'stdout' | 'stderr',
    options: { readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncGenerator<Uint8Array> {
    let attempt = 0;
    let offset = 0;
    while (!options.signal.aborted) {
      const run = this.#deps.tables.run(id);
      if (!run) return;
      // A new attempt starts from the beginning; what the earlier one had said was already passed on.
      if ((run.assignment?.attempt ?? 0) !== attempt) offset = 0;
      attempt = run.assignment?.attempt ?? 0;
      if (isTerminal(run)) {
        const rest = run.result && (await this.#deps.read(run.result[stream]));
        if (rest && rest.byteLength > offset) yield rest.subarray(offset);
        return;
      }
      const bytes = await this.#sofar(run, stream, offset);
      if (bytes.byteLength > 0) yield bytes;
      offset += bytes.byteLength;
      if (bytes.byteLength === 0) {
        if (!options.follow) return;
        await pause(this.#deps.clock, POLL_MS, options.signal);
      }
    }
  }

  async #sofar(run: Run, stream: 'stdout' | 'stderr', offset: number): Promise<Uint8Array> {
    const { assignment } = run;
    if (!assignment) return new Uint8Array();
    const request = {
      type: 'output',
      runId: run.spec.id,
      attempt: assignment.attempt,
      stream,
      offset,
    } as const;
    const answer = await this.#deps.call(assignment.node, request);
    return answer.ok && answer.value.type === 'output' ? answer.value.bytes : new Uint8Array();
  }
}

/** The bytes of a stored output; null when its file is not to be had now. `fetch` brings it to the shelf. */
export async function readOutput(
  output: Output,
  shelf: Pick<BlobShelf, 'open'>,
  fetch: (sha256: string) => Promise<boolean>,
): Promise<Uint8Array | null> {
  if (output.kind === 'inline') return Buffer.from(output.data, output.encoding);
  const opened =
    (await shelf.open(output.sha256)) ??
    ((await fetch(output.sha256)) ? await shelf.open(output.sha256) : null);
  return opened && (await buffer(opened.content));
}

const lenient = new TextDecoder('utf-8');
export const decodeText = (bytes: Uint8Array): string => lenient.decode(bytes);
