/** Program output on its way into the runs table: small ones inline, large ones as replicated files. */

import { Readable } from 'node:stream';
import type { WritableShelf } from '../../protocols/blob/index.ts';
import type { CapturedOutput } from '../../protocols/schema/attempt.ts';
import { INLINE_OUTPUT_BYTES } from '../../protocols/schema/fields.ts';
import type { Answer } from '../../protocols/schema/outcome.ts';
import type { Output } from '../../protocols/schema/run.ts';

const strict = new TextDecoder('utf-8', { fatal: true });

function inline(bytes: Uint8Array, truncated: boolean): Output {
  const size = bytes.byteLength;
  try {
    return { kind: 'inline', encoding: 'utf8', data: strict.decode(bytes), size, truncated };
  } catch {
    return {
      kind: 'inline',
      encoding: 'base64',
      data: Buffer.from(bytes).toString('base64'),
      size,
      truncated,
    };
  }
}

/** Stores what is too large for the record at a majority first. */
export async function storeOutput(
  captured: CapturedOutput,
  shelf: WritableShelf,
  replicate: (sha256: string) => Promise<Answer<void>>,
): Promise<Answer<Output>> {
  const { bytes, truncated } = captured;
  if (bytes.byteLength <= INLINE_OUTPUT_BYTES) return { ok: true, value: inline(bytes, truncated) };
  const stored = await shelf.ingest(Readable.from([bytes]), bytes.byteLength, { mayUseReserve: true });
  if (!stored.ok) return { ok: false, error: { code: 'UNAVAILABLE', message: stored.error.message } };
  const replicated = await replicate(stored.value.sha256);
  if (!replicated.ok) return replicated;
  return {
    ok: true,
    value: { kind: 'blob', sha256: stored.value.sha256, size: bytes.byteLength, truncated },
  };
}
