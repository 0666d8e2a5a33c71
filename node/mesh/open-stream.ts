import type { Connection, Stream } from '@libp2p/interface';
import { WireError } from '../../protocols/wire/error.ts';
import type { Clock } from '../ports.ts';

/** Opens a stream within a limit of time. @throws WireError TIMEOUT or ABORTED, or libp2p's error */
export async function openStream(
  connection: Connection,
  protocol: string,
  options: {
    readonly limitMs: number;
    readonly clock: Clock;
    readonly signal?: AbortSignal;
    readonly maxOutboundStreams?: number;
  },
): Promise<Stream> {
  const controller = new AbortController();
  let reason: WireError | null = null;
  const giveUp = (error: WireError) => {
    reason = error;
    controller.abort(error);
  };
  const onAbort = () => giveUp(new WireError('ABORTED', 'the caller gave up'));
  const cancel = options.clock.after(options.limitMs, () =>
    giveUp(new WireError('TIMEOUT', `no stream within ${Math.round(options.limitMs)} ms`)),
  );
  options.signal?.addEventListener('abort', onAbort);
  if (options.signal?.aborted === true) onAbort();
  try {
    return await connection.newStream(protocol, {
      signal: controller.signal,
      ...(options.maxOutboundStreams === undefined ? {} : { maxOutboundStreams: options.maxOutboundStreams }),
    });
  } catch (cause) {
    throw reason ?? cause;
  } finally {
    cancel();
    options.signal?.removeEventListener('abort', onAbort);
  }
}
