/** Asking a node that need not know this one: dial what a person wrote, prove a join token or a key, ask. */
import { generateKeyPair } from '@libp2p/crypto/keys';
import type { Connection, Libp2p, Stream } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { requestInspection } from '../../protocols/inspect/client.ts';
import { INSPECT_PROTOCOL } from '../../protocols/inspect/index.ts';
import { requestJoin } from '../../protocols/join/client.ts';
import { JOIN_PROTOCOL } from '../../protocols/join/index.ts';
import type { Credential, LookUp } from '../../protocols/proof/index.ts';
import type { JoinRequest, ProofRefusal } from '../../protocols/schema/messages.ts';
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import { deadline } from '../../protocols/wire/deadline.ts';
import { systemClock } from '../adapters.ts';
import { parseTarget } from '../addresses.ts';
import type { NodeId } from '../consensus/types.ts';
import type { DialRules } from '../dial-rules.ts';
import type { Clock } from '../ports.ts';
import { dialable } from './dialable.ts';
import { asDialFailure, asJoinFailure, asRefusal, banned, forbidden, notOurs } from './failures.ts';
import { createDialler, STRANGER_DIAL_LIMIT_MS } from './libp2p-settings.ts';
import { openStream } from './open-stream.ts';
import type { JoinFailure, JoinOutcome, MeshDoor } from './types.ts';

interface Dialler {
  readonly host: Libp2p;
  readonly clock: Clock;
  /** What may be dialled; null: whatever the person wrote, who is this node's operator. */
  readonly rules: DialRules | null;
  /** Called when it is known who answers; returns what to call when all is said. */
  readonly onBegin?: (connection: Connection) => () => void;
}

/** Asks to join the cluster of whoever answers at `target`, or invites it into this node's. */
export async function joinThrough(
  target: string,
  request: JoinRequest,
  door: MeshDoor,
  dialler: Dialler,
): Promise<Outcome<JoinOutcome, JoinFailure>> {
  const asked = await ask(target, JOIN_PROTOCOL, dialler, (stream, ids) =>
    requestJoin(
      stream,
      request,
      { credential: door.credential, lookUp: tokensOnly(door, ids.peer), ...ids },
      { timers: dialler.clock },
    ),
  );
  return asked.ok ? succeed({ peer: asked.value.peer, ...asked.value.answer }) : asked;
}

/** Who joins, or is called in, shows a join token and nothing else. */
export const tokensOnly =
  (door: MeshDoor, peer: NodeId): LookUp =>
  ({ type, id }) =>
    type === 'token' ? door.known(id, peer) : null;

/**
 * Asks any node for its own view of itself, without a daemon: for `fsched inspect`. The view is whatever that
 * node sent, which may be newer than this program. Uses a peer id of its own that is thrown away.
 */
export async function inspectPeer(
  target: string,
  credential: Credential,
  { clock = systemClock }: { readonly clock?: Clock } = {},
): Promise<Outcome<{ readonly peer: NodeId; readonly view: unknown }, JoinFailure>> {
  const host = await createDialler(await generateKeyPair('Ed25519'));
  await host.start();
  try {
    const asked = await ask(target, INSPECT_PROTOCOL, { host, clock, rules: null }, (stream, ids) =>
      requestInspection(stream, { credential, ...ids }, { timers: clock }),
    );
    if (!asked.ok && asked.error.code === 'WRONG_TOKEN' && credential.bearer.type === 'peer')
      return fail({ ...asked.error, message: notOurs(target) });
    return asked.ok ? succeed({ peer: asked.value.peer, view: asked.value.answer.view }) : asked;
  } finally {
    await host.stop();
  }
}

/** Without a peer id in `target`, which is HOST[:PORT] or a multiaddr, whoever answers there is the peer. */
async function ask<T extends object>(
  target: string,
  protocol: string,
  { host, clock, rules, onBegin }: Dialler,
  talk: (
    stream: Stream,
    ids: { readonly self: NodeId; readonly peer: NodeId },
  ) => Promise<T | { readonly refusal: ProofRefusal }>,
): Promise<Outcome<{ readonly peer: NodeId; readonly answer: T }, JoinFailure>> {
  const address = await parseTarget(target);
  if (!address.ok) return fail({ code: 'UNREACHABLE', message: address.error });
  const addresses =
    rules === null ? [address.value] : await dialable(address.value, rules).catch((cause: Error) => cause);
  if (addresses instanceof Error) return fail(asDialFailure(target, addresses));
  if (addresses.length === 0) return fail(forbidden(target));
  const dialled = await dial(host, addresses, clock, rules === null ? null : STRANGER_DIAL_LIMIT_MS);
  if (!dialled.ok) return fail(asDialFailure(target, dialled.error.cause));
  const connection = dialled.value;
  const peer = connection.remotePeer.toString();
  const end = onBegin?.(connection);
  try {
    const stream = await openStream(connection, protocol, { clock });
    const answer = await talk(stream, { self: host.peerId.toString(), peer });
    if (!('refusal' in answer)) return succeed({ peer, answer });
    return fail({ ...asRefusal(target, answer.refusal), peer });
  } catch (cause) {
    return fail(wasTurnedAway(connection, cause) ? banned(target) : asJoinFailure(target, cause));
  } finally {
    end?.();
  }
}

async function dial(
  host: Libp2p,
  addresses: readonly Multiaddr[],
  clock: Clock,
  limitMs: number | null,
): Promise<Outcome<Connection, { readonly cause: unknown }>> {
  using limit = limitMs === null ? null : deadline(limitMs, clock);
  const options = limit === null ? {} : { signal: limit.signal };
  return host.dial([...addresses], options).then(succeed, (cause: unknown) => fail({ cause }));
}

/**
 * A gate that turns us away, as too many come from our address or are there already, closes the connection right after Noise, before any protocol is agreed on; nothing else does that.
 */
function wasTurnedAway(connection: Connection, cause: unknown): boolean {
  const early =
    !(cause instanceof Error) || (cause.name !== 'WireError' && cause.name !== 'UnsupportedProtocolError');
  return early && connection.status !== 'open';
}
