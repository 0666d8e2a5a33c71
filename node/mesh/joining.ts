/** The dialling half of joining: dial, prove the token, ask. */
import type { Connection, Libp2p } from '@libp2p/interface';
import { requestJoin } from '../../protocols/join/client.ts';
import { JOIN_PROTOCOL } from '../../protocols/join/index.ts';
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import type { NodeId } from '../consensus/types.ts';
import type { Clock } from '../ports.ts';
import { dialTarget } from './dial-target.ts';
import { asJoinFailure, banned, wrongToken } from './failures.ts';
import { OPEN_LIMIT_MS } from './libp2p-settings.ts';
import { openStream } from './open-stream.ts';
import type { JoinFailure, JoinRequest, JoinResponse } from './types.ts';

export interface JoinThroughDependencies {
  readonly host: Libp2p;
  readonly clock: Clock;
  /** Called when it is known who answers; returns what to call when the join is over. */
  readonly onBegin: (connection: Connection) => () => void;
}

export async function joinThrough(
  target: string,
  request: JoinRequest,
  options: { readonly token: Uint8Array },
  dependencies: JoinThroughDependencies,
): Promise<Outcome<{ readonly peer: NodeId; readonly response: JoinResponse }, JoinFailure>> {
  const { host, clock, onBegin } = dependencies;
  const dialled = await dialTarget(host, target);
  if (!dialled.ok) return dialled;
  const connection = dialled.value;
  const peer = connection.remotePeer.toString();
  const end = onBegin(connection);
  try {
    const stream = await openStream(connection, JOIN_PROTOCOL, { limitMs: OPEN_LIMIT_MS, clock });
    const ids = { self: host.peerId.toString(), peer };
    const response = await requestJoin(stream, request, { ...options, ...ids }, { timers: clock });
    if (response.type !== 'unproved') return succeed({ peer, response });
    return fail(response.refusal === 'BANNED' ? banned(target) : wrongToken(target));
  } catch (cause) {
    return fail(wasTurnedAway(connection, cause) ? banned(target) : asJoinFailure(target, cause));
  } finally {
    end();
  }
}

/**
 * The gate of a node that bans us closes the connection right after Noise, before any protocol is agreed on;
 * nothing else does that.
 */
export function wasTurnedAway(connection: Connection, cause: unknown): boolean {
  const early =
    !(cause instanceof Error) || (cause.name !== 'WireError' && cause.name !== 'UnsupportedProtocolError');
  return early && connection.status !== 'open';
}
