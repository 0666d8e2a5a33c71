/** `worker/add`: asks a node that runs and waits to leave its own empty cluster and join this one. */
import type { KnownPeer, Member } from '../../protocols/schema/member.ts';
import { type Answer, fail } from '../../protocols/schema/outcome.ts';
import { parseTarget } from '../addresses.ts';
import type { Master } from '../master/master.ts';
import type { Mesh } from '../mesh/types.ts';

export interface InvitationDependencies {
  readonly master: () => Master | null;
  readonly mesh: Pick<Mesh, 'join'>;
  readonly clusterId: () => string | null;
  readonly knownPeers: () => readonly KnownPeer[];
}

/** @param host HOST, HOST:PORT or multiaddr of the node's mesh address */
export async function invite(host: string, dependencies: InvitationDependencies): Promise<Answer<Member>> {
  const { mesh, clusterId, knownPeers } = dependencies;
  const target = await parseTarget(host);
  if (!target.ok) return fail({ code: 'BAD_REQUEST', message: target.error });
  const request = { type: 'invite', clusterId: clusterId() ?? '', members: knownPeers() } as const;
  const outcome = await mesh.join(host, request);
  if (!outcome.ok) {
    const { code, message } = outcome.error;
    if (code === 'SELF') return fail({ code: 'CONFLICT', message: `${host} is this node itself` });
    return fail({ code: 'WORKER_UNRESPONSIVE', message: `worker node ${host} is unresponsive: ${message}` });
  }
  const { response } = outcome.value;
  if (response.type !== 'accepted') {
    const message = response.type === 'refused' ? response.message : 'it gave an answer that does not fit';
    return fail({ code: 'CONFLICT', message: `worker node ${host} did not come: ${message}` });
  }
  const master = dependencies.master();
  if (master) return master.admit(response.member);
  return fail({
    code: 'NO_MASTER',
    message: 'the master changed meanwhile; add the worker again',
    retryAfterSeconds: 1,
  });
}
