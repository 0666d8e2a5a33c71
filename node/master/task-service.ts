/** Uploads: a file on the disks of a majority first, then a row in the tasks table. */

import type { IngestFailure, WritableShelf } from '../../protocols/blob/index.ts';
import { type Answer, fail, succeed } from '../../protocols/schema/outcome.ts';
import type { Task } from '../../protocols/schema/task.ts';
import type { Clock, Random } from '../ports.ts';
import { splitCommand } from '../worker/command.ts';
import { type Propose, unavailable } from './propose.ts';
import type { Upload } from './requests.ts';
import { functionNameOf, interpreterOf, shebangOf } from './submission.ts';
import { STALE_KEY, type Vault } from './vault.ts';

export interface TaskServiceOptions {
  readonly maxUploadBytes: number;
}

export interface TaskServiceDependencies {
  readonly shelf: WritableShelf;
  readonly replicate: (sha256: string) => Promise<Answer<void>>;
  readonly propose: Propose;
  readonly vault: Pick<Vault, 'seal'>;
  readonly clock: Clock;
  readonly random: Random;
}

export class TaskService {
  readonly #options: TaskServiceOptions;
  readonly #deps: TaskServiceDependencies;

  constructor(options: TaskServiceOptions, dependencies: TaskServiceDependencies) {
    this.#options = options;
    this.#deps = dependencies;
  }

  async create(upload: Upload): Promise<Answer<Task>> {
    const head: Uint8Array[] = [];
    const stored = await this.#deps.shelf.ingest(
      keepHead(upload.content, head),
      this.#options.maxUploadBytes,
    );
    if (!stored.ok) return refuseUpload(stored.error);
    const { name, command, secrets } = upload.fields();
    const words = command === null ? null : splitCommand(command);
    if (words && !words.ok) return fail({ code: 'BAD_REQUEST', message: words.error.message });
    const start = command ?? interpreterOf(upload.fileName) ?? shebangOf(Buffer.concat(head));
    if (start === null && secrets.length > 0) {
      return fail({
        code: 'BAD_REQUEST',
        message: `secrets are for one command only, and it is not known how to start ${upload.fileName}: send the field "command" too`,
      });
    }
    const replicated = await this.#deps.replicate(stored.value.sha256);
    if (!replicated.ok) return replicated;
    const id = this.#deps.random.id();
    const sealed = await this.#deps.vault.seal(`task ${id}`, secrets);
    if (!sealed.ok) return sealed;
    const task: Task = {
      id,
      name: name ?? functionNameOf(upload.fileName),
      fileName: upload.fileName,
      sha256: stored.value.sha256,
      size: stored.value.size,
      command: start,
      secrets: sealed.value,
      createdAtMs: this.#deps.clock.nowMs(),
    };
    const outcome = await this.#deps.propose({ type: 'task-create', task });
    if (!outcome.ok) return unavailable(outcome.error);
    return outcome.value.ok ? succeed(task) : fail(STALE_KEY);
  }
}

/** Passes the content on and keeps its first chunk, where a `#!` line would be. */
async function* keepHead(content: AsyncIterable<Uint8Array>, head: Uint8Array[]): AsyncGenerator<Uint8Array> {
  for await (const chunk of content) {
    if (head.length === 0) head.push(chunk.slice(0, 512));
    yield chunk;
  }
}

function refuseUpload({ code, message }: IngestFailure): Answer<never> {
  if (code === 'DISK') return fail({ code: 'DISK_FULL', message, retryAfterSeconds: 30 });
  return fail({ code: code === 'TOO_LARGE' ? 'TOO_LARGE' : 'BAD_REQUEST', message });
}
