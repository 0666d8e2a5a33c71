import type { Connection, Stream } from '@libp2p/interface';
import { deadline } from '../../protocols/wire/deadline.ts';
import type { Clock } from '../ports.ts';

/** Time to open a stream of any protocol. */
const OPEN_LIMIT_MS = 5000;

export interface OpenOptions {
  readonly clock: Clock;
  /** The caller's own limit, when it is shorter. */
  readonly limitMs?: number;
  readonly signal?: AbortSignal | undefined;
  readonly maxOutboundStreams?: number;
}

/** Opens a stream within a limit of time. @throws WireError TIMEOUT or ABORTED, or libp2p's error */
export async function openStream(
  connection: Connection,
  protocol: string,
  { clock, limitMs = OPEN_LIMIT_MS, signal: outer, maxOutboundStreams }: OpenOptions,
): Promise<Stream> {
  using limit = deadline(Math.min(limitMs, OPEN_LIMIT_MS), clock, outer);
  try {
    const limits = maxOutboundStreams === undefined ? {} : { maxOutboundStreams };
    return await connection.newStream(protocol, { signal: limit.signal, ...limits });
  } catch (cause) {
    throw limit.signal.aborted ? limit.signal.reason : cause;
  }
}
