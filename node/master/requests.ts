/** What the master is asked for, whoever asks: REST's bodies as plain data. */
import type { Readable } from 'node:stream';
import type { Secret } from '../../protocols/schema/secret.ts';
import type { ProfilerName } from '../../protocols/schema/task.ts';
import type { AuditEntry, MemberRole, Scope } from '../../protocols/schema/token.ts';

export interface UploadFields {
  readonly name: string | null;
  readonly command: string | null;
  readonly secrets: readonly Secret[];
}

export interface Upload {
  readonly fileName: string;
  readonly content: Readable;
  /**
   * The form's other fields. A client may send them after the file, so they are known only once `content` has ended:
   * called before that, it throws. `name` is the function name; null: the file name without its extension.
   */
  readonly fields: () => UploadFields;
}

export interface ExecuteRequest {
  readonly taskId: string;
  readonly command: string;
  readonly inputSize: number;
  readonly timeLimitMs: number | null;
  readonly idempotencyKey: string | null;
}

export interface RunRequest extends ExecuteRequest {
  /** In the order of their names. */
  readonly secrets: readonly Secret[];
  /** How much slower than with the full cache it may be, 1 or more; null: the default. */
  readonly maxSlowdown: number | null;
}

/** Its runs are many, so no key stands for them. */
export interface BenchmarkRequest extends ExecuteRequest {
  readonly profiler: ProfilerName | 'auto';
  /** That it may take, 2 or more; null: as many as it takes to know the curve. */
  readonly executions: number | null;
}

export interface SubmitRequest {
  readonly functionName: string;
  readonly parameters: unknown;
  /** In the order of their names. */
  readonly secrets: readonly Secret[];
  readonly maxSlowdown: number | null;
  readonly idempotencyKey: string | null;
}

export interface ExplainRequest {
  readonly task: { readonly id: string } | { readonly name: string };
  readonly inputSize: number;
  readonly maxSlowdown: number | null;
}

export type TokenRequest = {
  readonly name: string;
  /** How long it holds; null: until it is revoked. */
  readonly ttlMs: number | null;
} & (
  | { readonly kind: 'api'; readonly scope: Scope }
  /** `uses`: how many nodes it may let in; null: any number. */
  | { readonly kind: 'join'; readonly role: MemberRole; readonly uses: number | null }
);

/** What somebody is about to do. */
export type Deed = Omit<AuditEntry, 'atMs'>;

export interface AuditFilter {
  /** At most this many, newest first. */
  readonly limit: number;
  /** Not before; null: whenever. */
  readonly sinceMs: number | null;
}
