/** What a node asks of another member: a call, a byte stream, a blob. */
import type { Duplex } from 'node:stream';
import type { Connection, Stream } from '@libp2p/interface';
import { fetchBlob, pushBlob } from '../../protocols/blob/client.ts';
import { BLOB_PROTOCOL, type BlobOutcome } from '../../protocols/blob/index.ts';
import { callControl } from '../../protocols/control/client.ts';
import { CALL_LIMIT_MS, CONTROL_PROTOCOL } from '../../protocols/control/index.ts';
import { StreamDuplex } from '../../protocols/http/duplex.ts';
import { HTTP_PROTOCOL } from '../../protocols/http/index.ts';
import { isValid } from '../../protocols/schema/check.ts';
import { Sha256 } from '../../protocols/schema/fields.ts';
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import type { NodeId } from '../consensus/types.ts';
import type { Clock } from '../ports.ts';
import { asMeshFailure } from './failures.ts';
import { OPEN_LIMIT_MS, STREAM_LIMITS } from './libp2p-settings.ts';
import { openStream } from './open-stream.ts';
import type { BlobShelf, ControlRequest, ControlResponse, MeshFailure } from './types.ts';

export interface MemberCallsDependencies {
  readonly clock: Clock;
  readonly shelf: BlobShelf;
  /** To a member; null without an open one. */
  readonly connection: (id: NodeId) => Connection | null;
}

export interface CallOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export class MemberCalls {
  readonly #deps: MemberCallsDependencies;

  constructor(dependencies: MemberCallsDependencies) {
    this.#deps = dependencies;
  }

  call(
    to: NodeId,
    request: ControlRequest,
    options: CallOptions,
  ): Promise<Outcome<ControlResponse, MeshFailure>> {
    const { clock } = this.#deps;
    const deadline = clock.monotonicMs() + (options.timeoutMs ?? CALL_LIMIT_MS);
    const left = () => Math.max(0, deadline - clock.monotonicMs());
    return this.#over(
      to,
      CONTROL_PROTOCOL,
      STREAM_LIMITS.control,
      { ...options, timeoutMs: left() },
      async (stream) =>
        succeed(await callControl(stream, request, { ...options, timeoutMs: left() }, { timers: clock })),
    );
  }

  openHttp(to: NodeId): Promise<Outcome<Duplex, MeshFailure>> {
    return this.#over(to, HTTP_PROTOCOL, STREAM_LIMITS.http, {}, async (stream) =>
      succeed(new StreamDuplex(stream)),
    );
  }

  async pushBlob(to: NodeId, sha256: string): Promise<Outcome<void, MeshFailure>> {
    if (!isValid(Sha256, sha256)) return fail({ code: 'PROTOCOL', message: `"${sha256}" is no SHA-256` });
    const { clock, shelf } = this.#deps;
    return this.#over(to, BLOB_PROTOCOL, STREAM_LIMITS.blob, {}, async (stream) =>
      blobOutcome(await pushBlob(stream, sha256, { shelf, timers: clock })),
    );
  }

  async fetchBlob(from: NodeId, sha256: string): Promise<Outcome<void, MeshFailure>> {
    if (!isValid(Sha256, sha256)) return fail({ code: 'PROTOCOL', message: `"${sha256}" is no SHA-256` });
    const { clock, shelf } = this.#deps;
    return this.#over(from, BLOB_PROTOCOL, STREAM_LIMITS.blob, {}, async (stream) =>
      blobOutcome(await fetchBlob(stream, sha256, { shelf, timers: clock })),
    );
  }

  async #over<T>(
    to: NodeId,
    protocol: string,
    limits: { readonly maxOutboundStreams: number },
    options: CallOptions,
    talk: (stream: Stream) => Promise<Outcome<T, MeshFailure>>,
  ): Promise<Outcome<T, MeshFailure>> {
    const connection = this.#deps.connection(to);
    if (connection === null) return fail({ code: 'UNREACHABLE', message: `${to} is not connected` });
    try {
      const stream = await openStream(connection, protocol, {
        limitMs: Math.min(OPEN_LIMIT_MS, options.timeoutMs ?? OPEN_LIMIT_MS),
        clock: this.#deps.clock,
        ...limits,
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      });
      return await talk(stream);
    } catch (cause) {
      return fail(asMeshFailure(cause));
    }
  }
}

function blobOutcome(outcome: BlobOutcome): Outcome<void, MeshFailure> {
  if (outcome.ok) return succeed(undefined);
  const { code, message } = outcome.error;
  return fail({ code: code === 'MISMATCH' ? 'PROTOCOL' : 'REFUSED', message });
}
