/**
 * Which membership step to take next, so that the configuration follows the members. Pure; the caller asks
 * again after each step. An even number of voters tolerates no more failures than one less of them, so it is
 * passed through but never rested in.
 */
import { isMember, isVoter, quorum } from './configuration.ts';
import type { Configuration, ConfigurationChange, ConsensusStatus, NodeId } from './types.ts';

export interface PlannedMember {
  readonly id: NodeId;
  /** Answers the leader. */
  readonly alive: boolean;
  /** Holds (nearly) all that is committed. */
  readonly caughtUp: boolean;
  /** False: never becomes a voter, whatever is missing. */
  readonly mayVote: boolean;
}

export interface MembershipView {
  /** The leader, which plans. It is never demoted. */
  readonly self: NodeId;
  readonly configuration: Configuration;
  /** An even number counts as the odd one below it. */
  readonly maxVoters: number;
  /** Who shall take part, in the order in which they joined: the first become voters first. */
  readonly members: readonly PlannedMember[];
  /**
   * Every configured node that answers the leader, whether it is still to be a member or not. Which of two
   * leaving voters goes first may decide whether the other can go at all. @default the members alive
   */
  readonly answering?: readonly NodeId[];
}

/** A learner this few entries behind may vote. */
const CAUGHT_UP_ENTRIES = 16;

/**
 * What the leader whose `status` it is knows of `id`. Only what `id` itself has said to this leader counts: one that
 * never answered is neither alive nor, on a log so young that it lags by little, caught up. As a voter it would count in
 * every quorum and never be heard in any.
 */
export function memberToPlan(
  { id: self, commitIndex, progress }: ConsensusStatus,
  id: NodeId,
  mayVote = true,
): PlannedMember {
  if (id === self) return { id, alive: true, caughtUp: true, mayVote };
  const { active = false, matchIndex = 0 } = progress.get(id) ?? {};
  const caughtUp = matchIndex > 0 && commitIndex - matchIndex <= CAUGHT_UP_ENTRIES;
  return { id, alive: active, caughtUp, mayVote };
}

/** The next step, or null at rest. */
export function planMembership(view: MembershipView): ConfigurationChange | null {
  if (view.configuration.voters.length === 0) return null;
  return planRemoval(view) ?? planAddition(view) ?? planVoters(view);
}

/** Nodes that are no longer members leave; the leader itself goes last. */
function planRemoval(view: MembershipView): ConfigurationChange | null {
  const { voters, learners } = view.configuration;
  const wanted = new Set(view.members.map(({ id }) => id));
  const leaving = [...learners, ...voters].filter((id) => !wanted.has(id));
  // The dead first: the living ones' votes may be needed to see them off.
  leaving.sort(
    (a, b) =>
      Number(a === view.self) - Number(b === view.self) ||
      Number(isAlive(view, a)) - Number(isAlive(view, b)),
  );
  const node = leaving.find((id) => isMember(view.configuration, id) && staysAliveWithout(view, id));
  return node === undefined ? null : { type: 'remove', node };
}

function planAddition(view: MembershipView): ConfigurationChange | null {
  const added = view.members.find(({ id }) => !isMember(view.configuration, id));
  return added === undefined ? null : { type: 'add-learner', node: added.id };
}

/** Counts only voters that stay: one that leaves, but can't yet, is replaced first. */
function planVoters(view: MembershipView): ConfigurationChange | null {
  const votes = (id: NodeId): boolean => isVoter(view.configuration, id);
  const staying = view.members.filter(({ id, mayVote }) => votes(id) && mayVote).length;
  const eligible = view.members.filter(
    ({ id, alive, caughtUp, mayVote }) => alive && caughtUp && mayVote && !votes(id),
  );
  const target = Math.min(largestOdd(view.maxVoters), largestOdd(staying + eligible.length));
  if (staying < target) return eligible[0] === undefined ? null : { type: 'promote', node: eligible[0].id };
  const tooMany = staying > target;
  const demoted = demotionOrder(view).find(
    ({ id, mayVote }) => (tooMany || !mayVote) && staysAliveWithout(view, id),
  );
  return demoted === undefined ? null : { type: 'demote', node: demoted.id };
}

const largestOdd = (limit: number): number => Math.max(1, limit % 2 === 0 ? limit - 1 : limit);

/** Who may not vote first, then the dead, then the latest to join; never the leader. */
function demotionOrder(view: MembershipView): PlannedMember[] {
  const others = view.members
    .filter(({ id }) => id !== view.self && isVoter(view.configuration, id))
    .reverse();
  const rank = ({ mayVote, alive }: PlannedMember): number => (mayVote ? (alive ? 2 : 1) : 0);
  return others.sort((a, b) => rank(a) - rank(b));
}

/**
 * Whether the step can commit: the voters that remain need a living majority, or the leader would wait for
 * it for ever, unable to take the step back.
 */
function staysAliveWithout(view: MembershipView, id: NodeId): boolean {
  if (!isVoter(view.configuration, id)) return true;
  const voters = view.configuration.voters.filter((other) => other !== id);
  const alive = voters.filter((voter) => isAlive(view, voter)).length;
  return voters.length > 0 && alive >= quorum({ voters, learners: [] });
}

const isAlive = (view: MembershipView, id: NodeId): boolean =>
  id === view.self ||
  (view.answering?.includes(id) ?? view.members.some((member) => member.id === id && member.alive));
