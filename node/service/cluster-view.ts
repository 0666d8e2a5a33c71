/** What one node knows of the cluster, put together for people: REST's `/cluster`, and `fsched inspect`. */
import type { CapacityNotice } from '../../protocols/schema/capacity.ts';
import type { Member } from '../../protocols/schema/member.ts';
import { isPlaced } from '../../protocols/schema/run.ts';
import type { CapacityView, ClusterView, MemberView } from '../../protocols/schema/views.ts';
import { OBJECTIONS } from '../consensus/objections.ts';
import type { Consensus, ConsensusStatus } from '../consensus/types.ts';
import type { CapacityBoard } from '../membership/capacity-board.ts';
import type { Mesh } from '../mesh/types.ts';
import type { Clock } from '../ports.ts';
import type { Tables } from '../state/tables.ts';
import type { ApplyResult } from '../state/types.ts';

/** A member that gossiped within this time is alive. */
const ALIVE_MS = 3_500;
/** So long it is shown what a member did. */
const DISTRUST_MS = 600_000;

export interface ClusterViewDependencies {
  readonly consensus: Pick<Consensus<ApplyResult>, 'status' | 'objections'>;
  readonly tables: Tables;
  readonly board: CapacityBoard;
  readonly mesh: Pick<Mesh, 'id' | 'peers'>;
  readonly clusterId: () => string | null;
  readonly clock: Clock;
}

export function viewCluster(dependencies: ClusterViewDependencies): ClusterView {
  const { tables, consensus, clusterId } = dependencies;
  const status = consensus.status();
  const members = tables.members().map((member) => viewMember(member, status, dependencies));
  const active = tables.activeRuns();
  const reasons = [...healthReasons(status, members), ...distrust(members, dependencies)];
  return {
    clusterId: clusterId(),
    consensus: status,
    members,
    versions: tables.versions(),
    queued: active.filter((run) => run.state === 'queued').length,
    running: active.filter(isPlaced).length,
    health: { state: reasons.length === 0 ? 'healthy' : 'degraded', reasons },
  };
}

function viewMember(
  member: Member,
  status: ConsensusStatus,
  dependencies: ClusterViewDependencies,
): MemberView {
  const { board, mesh, clock } = dependencies;
  const heard = board.get(member.id);
  const peer = mesh.peers().find(({ id }) => id === member.id);
  const lastHeardAtMs = Math.max(heard?.heardAtMs ?? -1, peer?.lastHeardAtMs ?? -1);
  const lastHeardMs = lastHeardAtMs < 0 ? null : Math.max(0, clock.monotonicMs() - lastHeardAtMs);
  const isSelf = member.id === mesh.id;
  const isVoter = status.configuration.voters.includes(member.id);
  const other = isVoter ? 'voter' : member.mayVote ? 'learner' : 'worker';
  return {
    member,
    role: member.id === status.leader ? 'master' : other,
    host: hostOf(member.addresses),
    alive: isSelf || (peer?.connected === true && lastHeardMs !== null && lastHeardMs < ALIVE_MS),
    lastHeardMs: isSelf ? 0 : lastHeardMs,
    capacity: heard ? viewCapacity(heard.notice) : null,
  };
}

function viewCapacity(notice: CapacityNotice): CapacityView {
  const { node: _, name: __, sequence: ___, startedAtMs: ____, domains, runs, ...machine } = notice;
  return {
    ...machine,
    domains: domains.map((domain) => ({ ...domain, runs: runs.filter((run) => run.domain === domain.id) })),
  };
}

/** Empty when all is well; else each reason says what to do. */
function healthReasons(status: ConsensusStatus, members: readonly MemberView[]): string[] {
  const reasons: string[] = [];
  const { voters } = status.configuration;
  const down = members.filter(({ alive }) => !alive);
  const votersDown = down.filter(({ member }) => voters.includes(member.id)).length;
  if (status.leader === null) reasons.push('there is no master: start the members that are down');
  for (const { member, host } of down) {
    reasons.push(
      `${member.name} (${host}) is not heard: start it, or remove it with: fsched workers remove ${member.id}`,
    );
  }
  for (const { member, host, alive, capacity } of members) {
    if (!alive) continue;
    for (const trouble of capacity?.troubles ?? []) reasons.push(`${member.name} (${host}): ${trouble}`);
  }
  const spare = Math.ceil(voters.length / 2) - 1 - votersDown;
  if (votersDown > 0 && spare <= 0)
    reasons.push('one more voter down and there is no master: bring one back now');
  return reasons;
}

/** Members that said lately what no honest member says. */
function distrust(
  members: readonly MemberView[],
  { consensus, clock }: Pick<ClusterViewDependencies, 'consensus' | 'clock'>,
): string[] {
  const since = clock.monotonicMs() - DISTRUST_MS;
  return consensus.objections().flatMap(({ peer, objection, lastAtMs }) => {
    const { severity, says } = OBJECTIONS[objection];
    if (severity !== 'error' || lastAtMs < since) return [];
    const name = members.find(({ member }) => member.id === peer)?.member.name ?? peer;
    return [`${name} ${says}: examine it, or remove it with: fsched workers remove ${peer}`];
  });
}

/** The host in a multiaddr such as /ip4/10.0.0.1/tcp/8300. */
export function hostOf(addresses: readonly string[]): string {
  return addresses[0]?.split('/')[2] ?? 'unknown';
}
