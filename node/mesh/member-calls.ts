/** What a node asks of another member, or of itself: a call, a byte stream, a blob. */
import { duplexPair } from 'node:stream';
import type { Connection, Stream } from '@libp2p/interface';
import { type BlobClientDependencies, fetchBlob, pushBlob } from '../../protocols/blob/client.ts';
import { BLOB_PROTOCOL, type BlobOutcome, type BlobShelf } from '../../protocols/blob/index.ts';
import { callControl } from '../../protocols/control/client.ts';
import { CALL_LIMIT_MS, CONTROL_PROTOCOL } from '../../protocols/control/index.ts';
import { StreamDuplex } from '../../protocols/http/duplex.ts';
import { HTTP_PROTOCOL } from '../../protocols/http/index.ts';
import { isValid } from '../../protocols/schema/check.ts';
import { Sha256 } from '../../protocols/schema/fields.ts';
import type { ControlRequest, ControlResponse } from '../../protocols/schema/messages.ts';
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import type { NodeId } from '../consensus/types.ts';
import type { Clock, Logger } from '../ports.ts';
import { asMeshFailure } from './failures.ts';
import { STREAM_LIMITS } from './libp2p-settings.ts';
import { type OpenOptions, openStream } from './open-stream.ts';
import type { Mesh, MeshFailure, MeshHandlers } from './types.ts';

export const STOPPED: MeshFailure = { code: 'STOPPED', message: 'the mesh is not running' };

export interface MemberCallsDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly shelf: BlobShelf;
  /** To a member; null without an open one. */
  readonly connection: (id: NodeId) => Connection | null;
  /** Of this node itself; null while the mesh doesn't run. */
  readonly handlers: () => MeshHandlers | null;
}

type BlobTransfer = (stream: Stream, dependencies: BlobClientDependencies) => Promise<BlobOutcome>;

export class MemberCalls {
  readonly #self: NodeId;
  readonly #deps: MemberCallsDependencies;

  constructor(options: { readonly self: NodeId }, dependencies: MemberCallsDependencies) {
    this.#self = options.self;
    this.#deps = dependencies;
  }

  readonly call: Mesh['call'] = (to, request, options = {}) => {
    if (to === this.#self) return this.#callSelf(request);
    const { clock } = this.#deps;
    const { timeoutMs: limitMs = CALL_LIMIT_MS, signal } = options;
    const deadline = clock.monotonicMs() + limitMs;
    return this.#over(to, CONTROL_PROTOCOL, { ...STREAM_LIMITS.control, limitMs, signal }, async (stream) => {
      const left = { ...options, timeoutMs: Math.max(0, deadline - clock.monotonicMs()) };
      return succeed(await callControl(stream, request, left, { timers: clock }));
    });
  };

  readonly openHttp: Mesh['openHttp'] = async (to) => {
    if (to !== this.#self) {
      return this.#over(to, HTTP_PROTOCOL, STREAM_LIMITS.http, async (stream) =>
        succeed(new StreamDuplex(stream)),
      );
    }
    const handlers = this.#deps.handlers();
    if (handlers === null) return fail(STOPPED);
    const [near, far] = duplexPair();
    handlers.onHttp(this.#self, far);
    return succeed(near);
  };

  readonly pushBlob: Mesh['pushBlob'] = (to, sha256) =>
    this.#transfer(to, sha256, (stream, dependencies) => pushBlob(stream, sha256, dependencies));

  readonly fetchBlob: Mesh['fetchBlob'] = (from, sha256, maxBytes) =>
    this.#transfer(from, sha256, (stream, dependencies) =>
      fetchBlob(stream, { sha256, maxBytes }, dependencies),
    );

  async #callSelf(request: ControlRequest): Promise<Outcome<ControlResponse, MeshFailure>> {
    const handlers = this.#deps.handlers();
    if (handlers === null) return fail(STOPPED);
    try {
      return succeed(await handlers.onControl(this.#self, request));
    } catch (cause) {
      this.#deps.logger.error({ request: request.type, error: cause }, 'handling a call failed');
      return fail({ code: 'REFUSED', message: 'this node failed to handle the call' });
    }
  }

  async #transfer(peer: NodeId, sha256: string, transfer: BlobTransfer): Promise<Outcome<void, MeshFailure>> {
    const { clock, shelf } = this.#deps;
    if (peer !== this.#self) {
      if (!isValid(Sha256, sha256)) return fail({ code: 'PROTOCOL', message: `"${sha256}" is no SHA-256` });
      return this.#over(peer, BLOB_PROTOCOL, STREAM_LIMITS.blob, async (stream) =>
        blobOutcome(await transfer(stream, { shelf, timers: clock })),
      );
    }
    if (this.#deps.handlers() === null) return fail(STOPPED);
    if (await shelf.has(sha256)) return succeed(undefined);
    return fail({ code: 'REFUSED', message: `this node doesn't hold the blob ${sha256}` });
  }

  async #over<T>(
    to: NodeId,
    protocol: string,
    options: Omit<OpenOptions, 'clock'>,
    talk: (stream: Stream) => Promise<Outcome<T, MeshFailure>>,
  ): Promise<Outcome<T, MeshFailure>> {
    const { clock, connection: find, handlers } = this.#deps;
    if (handlers() === null) return fail(STOPPED);
    const connection = find(to);
    if (connection === null) return fail({ code: 'UNREACHABLE', message: `${to} is not connected` });
    try {
      return await talk(await openStream(connection, protocol, { ...options, clock }));
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
