/** Asks any node for its own view of itself, without a daemon: for `fsched inspect`. */
import { generateKeyPair } from '@libp2p/crypto/keys';
import { requestInspection } from '../../protocols/inspect/client.ts';
import { INSPECT_PROTOCOL } from '../../protocols/inspect/index.ts';
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import { systemClock } from '../adapters.ts';
import type { NodeId } from '../consensus/types.ts';
import type { Clock } from '../ports.ts';
import { dialTarget } from './dial-target.ts';
import { asJoinFailure, banned, wrongToken } from './failures.ts';
import { wasTurnedAway } from './joining.ts';
import { createDialler, OPEN_LIMIT_MS } from './libp2p-settings.ts';
import { openStream } from './open-stream.ts';
import type { JoinFailure } from './types.ts';

/**
 * `target` is HOST[:PORT] or a multiaddr; `token` the cluster's join token. The view is whatever that node's
 * `onInspect` gave. Uses a peer id of its own that is thrown away.
 */
export async function inspectPeer(
  target: string,
  token: Uint8Array,
  dependencies: { readonly clock?: Clock } = {},
): Promise<Outcome<{ readonly peer: NodeId; readonly view: unknown }, JoinFailure>> {
  const clock = dependencies.clock ?? systemClock;
  const host = await createDialler(await generateKeyPair('Ed25519'));
  await host.start();
  try {
    const dialled = await dialTarget(host, target);
    if (!dialled.ok) return dialled;
    const connection = dialled.value;
    const peer = connection.remotePeer.toString();
    try {
      const stream = await openStream(connection, INSPECT_PROTOCOL, { limitMs: OPEN_LIMIT_MS, clock });
      const ids = { self: host.peerId.toString(), peer };
      const answer = await requestInspection(stream, { token, ...ids }, { timers: clock });
      if ('view' in answer) return succeed({ peer, view: answer.view });
      return fail(answer.refusal === 'BANNED' ? banned(target) : wrongToken(target));
    } catch (cause) {
      return fail(wasTurnedAway(connection, cause) ? banned(target) : asJoinFailure(target, cause));
    }
  } finally {
    await host.stop();
  }
}
