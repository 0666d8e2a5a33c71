/** `worker/add`: asks a node that runs and waits to leave its own empty cluster and join this one. */
import type { KnownPeer, Member } from '../../protocols/schema/member.ts';
import { type Answer, fail, succeed } from '../../protocols/schema/outcome.ts';
import { parseTarget } from '../addresses.ts';
import type { Master } from '../master/master.ts';
import type { JoinFailure, Mesh } from '../mesh/types.ts';
import { pause } from '../pause.ts';
import type { Clock, Logger } from '../ports.ts';
import type { Tables } from '../state/tables.ts';

export interface InvitationDependencies {
  readonly master: () => Master | null;
  readonly mesh: Pick<Mesh, 'join'>;
  readonly tables: Pick<Tables, 'member'>;
  readonly clusterId: () => string | null;
  readonly knownPeers: () => readonly KnownPeer[];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A little longer than a dial may take: an answer comes no sooner from a port that is closed than from a silent one. */
export const SILENCE_MS = 3250;

/** What is told of as it is. All else is silence: told apart, it would let callers scan the node's network by it. */
const TOLD: ReadonlySet<JoinFailure['code']> = new Set([
  'WRONG_TOKEN',
  'BANNED',
  'REVOKED',
  'EXPIRED',
  'USED_UP',
  'NOT_READY',
  'NO_TOKEN',
]);

/** @param host HOST, HOST:PORT or multiaddr of the node's mesh address */
export async function invite(host: string, dependencies: InvitationDependencies): Promise<Answer<Member>> {
  const { mesh, clusterId, knownPeers, clock, logger } = dependencies;
  const target = await parseTarget(host);
  if (!target.ok) return fail({ code: 'BAD_REQUEST', message: target.error });
  const request = { type: 'invite', clusterId: clusterId() ?? '', members: knownPeers() } as const;
  const begunAtMs = clock.monotonicMs();
  const outcome = await mesh.join(host, request);
  if (!outcome.ok) {
    const { code, message, peer } = outcome.error;
    // A member needs no token any more, and waits for nothing.
    const known = code === 'NO_TOKEN' && peer !== undefined ? dependencies.tables.member(peer) : undefined;
    if (known) return succeed(known);
    logger.info({ target: host, code, reason: message }, 'invitation failed');
    if (code === 'SELF') return fail({ code: 'CONFLICT', message: `${host} is this node itself` });
    if (code === 'FORBIDDEN') return fail({ code: 'BAD_REQUEST', message });
    if (TOLD.has(code)) return unresponsive(host, message);
    await pause(clock, begunAtMs + SILENCE_MS - clock.monotonicMs());
    const advice = 'check the address, the firewall, and that a node runs there and listens beyond loopback';
    return unresponsive(host, `no node answered; ${advice} (the log of the master says more)`);
  }
  const { peer, response, tokenId } = outcome.value;
  if (response.type !== 'accepted') {
    const message = response.type === 'refused' ? response.message : 'it gave an answer that does not fit';
    return fail({ code: 'CONFLICT', message: `worker node ${host} did not come: ${message}` });
  }
  if (response.member.id !== peer || tokenId === null) {
    return fail({ code: 'CONFLICT', message: `worker node ${host} gave the id of another node` });
  }
  const master = dependencies.master();
  if (master) return master.admission.invited(tokenId, response.member);
  return fail({
    code: 'NO_MASTER',
    message: 'the master changed meanwhile; add the worker again',
    retryAfterSeconds: 1,
  });
}

const unresponsive = (host: string, why: string): Answer<never> =>
  fail({ code: 'WORKER_UNRESPONSIVE', message: `worker node ${host} is unresponsive: ${why}` });
