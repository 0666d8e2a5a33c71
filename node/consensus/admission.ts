/**
 * Whose word counts. The mesh proves who sent a frame; here stands who may send which.
 *
 *     append, heartbeat                  a voter; once a leader of the term is heard, that one only
 *     vote request                       a voter
 *     answers                            whoever is configured
 *     a later term                       by the word of a voter (but see `mayRaiseTerm`)
 *     voters-request                     anyone: a configuration is no secret
 *     voters-response                    a voter, or who let this node in
 *
 * A voter is whom the newest configuration in this node's log names, committed or not; as long as it may still be taken
 * back, also whom the one before it names: a leader that removes itself leads until that is committed, and a node that
 * it removes may be the only one that can be elected (`mayCampaign`).
 *
 * SAFETY. All that Raft proves is proved of voters that keep the rules. Who was never made a voter has no way here to a
 * log, a term, a vote or a leader's timer. A voter that lies is another matter (docs/architecture.md).
 *
 * LIVENESS. A node whose log is behind may not know a voter that was made since, and that voter may lead, or be the
 * only one that can. So a node that finds no leader asks those it knows (`askForVoters`), and believes who names a later
 * configuration than its own, as long as who says so is believed itself: by its own voters, by whom they name, and so
 * on. What the log has brought since needs nobody's word any more (`reviewVouched`). Each configuration is committed by
 * a majority that shares a node with the one before it (thesis, section 4.1), so the trail from any old configuration
 * leads to the present one, as long as those on it can be reached. Where all voters that a node knew are gone it has to
 * be removed, and joins anew.
 *
 * A node with an empty log knows no voters. It believes who let it in (`introducers`), and nobody else; and it goes on
 * believing them until the log has come to where the node itself is in the configuration. On the way there its
 * configuration is that of times long past, and none of its voters may be left.
 */
import { isMember, isVoter } from './configuration.ts';
import type { CoreState } from './core-state.ts';
import type { Message, MessageOf } from './messages.ts';
import type { Objection } from './objections.ts';
import type { Configuration, NodeId } from './types.ts';

/** Where a configuration stands in a log. Of two, the later one is of the later term or, in one term, index. */
export interface Vouched {
  readonly index: number;
  readonly term: number;
  readonly voters: readonly NodeId[];
}

/**
 * A member that lost its vote may have campaigned before it heard of that, a few times in vain, while the others went
 * on without it: an answer up to so many terms beyond the one that took its vote is obeyed, or it would not be heard
 * again. More than that no leader's lease leaves room for. It is also how often such a member can cost an election.
 */
const STRAGGLER_TERMS = 8;

/** Of others than this node's own voters; on the trail from an old configuration to the present one are fewer. */
const MOST_VOUCHERS = 64;
/** Many more voters than any cluster has (`--voters`). A voter that lies could else name thousands, by each of them. */
const MOST_VOUCHED = 16;

type Request = MessageOf<'append'> | MessageOf<'heartbeat'> | MessageOf<'vote-request'>;

/** Null, or why `message`, of this node's term or a later one, counts for nothing. */
export function objectionTo(s: CoreState, from: NodeId, message: Message): Objection | null {
  switch (message.type) {
    case 'vote-request':
      return isTrusted(s, from) ? null : 'not-a-voter';
    case 'append':
    case 'heartbeat':
      return objectionToLeader(s, from, message);
    case 'voters-request':
    case 'voters-response':
      return null;
    default:
      return message.term <= s.term || mayRaiseTerm(s, from, message.term) ? null : 'term-of-a-learner';
  }
}

function objectionToLeader(s: CoreState, from: NodeId, message: Request): Objection | null {
  if (!isTrusted(s, from)) return 'not-a-voter';
  const isSecond = message.term === s.term && s.leader !== null && s.leader !== from;
  if (isSecond) return 'second-leader';
  return message.type === 'append' && !isSound(message) ? 'unsound-append' : null;
}

/**
 * Entries follow one another and `previousIndex`, none is of an earlier term than the one before it nor of a later one
 * than the leader's, and a configuration has voters.
 */
function isSound({ previousIndex, previousTerm, entries, term }: MessageOf<'append'>): boolean {
  let before = previousTerm;
  if (before > term) return false;
  return entries.every((entry, position) => {
    const isNext = entry.index === previousIndex + 1 + position && entry.term >= before && entry.term <= term;
    before = entry.term;
    return isNext && (entry.kind !== 'configuration' || entry.configuration.voters.length > 0);
  });
}

/** Whether `id` is a voter, as far as this node can know. */
function isTrusted(s: CoreState, id: NodeId): boolean {
  if (isVoter(s.configuration, id)) return true;
  return s.vouched.size > 0 || !isSettled(s) ? trusted(s).has(id) : false;
}

/** Whether the newest configuration is committed, and not empty. */
const isSettled = (s: CoreState): boolean =>
  s.configuration.voters.length > 0 && s.configurations.index <= s.commitIndex;

/** This node's own voters, whom they vouch for, whom those vouch for, and so on. */
function trusted(s: CoreState): Set<NodeId> {
  const ids = new Set(ownIds(s));
  // A set's iteration comes to what is added meanwhile.
  for (const id of ids) for (const other of s.vouched.get(id)?.voters ?? []) ids.add(other);
  return ids;
}

/** Whose word counts without anybody's. */
const ownIds = (s: CoreState): readonly NodeId[] =>
  isMember(s.configuration, s.id) ? ownVoters(s).voters : [...ownVoters(s).voters, ...s.introducers];

/** Of the newest configuration in the log and, while it isn't committed, of the one before it. */
function ownVoters(s: CoreState): Vouched {
  const { current, previous } = s.configurations;
  const before: Configuration['voters'] = isSettled(s) ? [] : previous.voters;
  return { ...newest(s), voters: [...new Set([...current.voters, ...before])] };
}

const newest = (s: CoreState): Pick<Vouched, 'index' | 'term'> => ({
  index: s.configurations.index,
  term: s.log.termAt(s.configurations.index) ?? 0,
});

const isLater = (a: Pick<Vouched, 'index' | 'term'>, b: Pick<Vouched, 'index' | 'term'>): boolean =>
  a.term > b.term || (a.term === b.term && a.index > b.index);

/** Whether an answer of `from` may bring a later term: one of a voter, or of one that was until lately. */
function mayRaiseTerm(s: CoreState, from: NodeId, term: number): boolean {
  if (isTrusted(s, from)) return true;
  const lostVoteAt = s.configurations.lostVoteAt(from);
  return lostVoteAt !== null && term <= (s.log.termAt(lostVoteAt) ?? 0) + STRAGGLER_TERMS;
}

/** Who isn't in the configuration was not asked: a removed node's answers can't unseat anyone. */
export const wasAsked = (s: CoreState, from: NodeId): boolean =>
  isMember(s.configuration, from) || isTrusted(s, from);

/** Nobody leads, as far as this node can tell. That may be because it doesn't know the voters there are. */
export function askForVoters(s: CoreState): void {
  const { index, term } = newest(s);
  for (const id of trusted(s)) {
    if (id !== s.id)
      s.send(id, { type: 'voters-request', configurationIndex: index, configurationTerm: term });
  }
}

export function onVotersRequest(s: CoreState, from: NodeId, message: MessageOf<'voters-request'>): void {
  const { index, term, voters } = ownVoters(s);
  const asked = { index: message.configurationIndex, term: message.configurationTerm };
  if (!isLater({ index, term }, asked)) return;
  s.send(from, { type: 'voters-response', configurationIndex: index, configurationTerm: term, voters });
}

/**
 * Kept in memory only, by who said so: a lie lasts as long as its author is believed, and hides nobody else's word. Who
 * isn't believed is forgotten at once, by `reviewVouched`.
 */
export function onVotersResponse(s: CoreState, from: NodeId, message: MessageOf<'voters-response'>): void {
  const { configurationIndex: index, configurationTerm, voters, term } = message;
  // No log holds an entry of a later term than its node is in.
  if (configurationTerm > term) {
    s.object(from, 'absurd-term');
    return;
  }
  const hasRoom = s.vouched.size < MOST_VOUCHERS || s.vouched.has(from) || ownIds(s).includes(from);
  const vouched = { index, term: configurationTerm, voters: voters.slice(0, MOST_VOUCHED) };
  if (hasRoom && isNews(s, vouched)) s.vouched.set(from, vouched);
}

/**
 * To be called after each change of the log and of what is vouched for: drops what the log has made old, and the word
 * of who isn't believed any more. A voter that was removed would else stay trusted by what it said while it was one, and
 * so would all that it named.
 */
export function reviewVouched(s: CoreState): void {
  if (s.vouched.size === 0 && s.vouchedVoters.length === 0) return;
  for (const [voucher, vouched] of s.vouched) if (!isNews(s, vouched)) s.vouched.delete(voucher);
  const believed = trusted(s);
  for (const voucher of s.vouched.keys()) if (!believed.has(voucher)) s.vouched.delete(voucher);
  const all = new Set([...s.vouched.values()].flatMap((vouched) => vouched.voters));
  const isSame = all.size === s.vouchedVoters.length && s.vouchedVoters.every((id) => all.has(id));
  if (!isSame) s.vouchedVoters = [...all];
}

/** A configuration that stood where the log is committed by now is in this node's log, or in none. */
const isNews = (s: CoreState, vouched: Vouched): boolean =>
  isLater(vouched, newest(s)) && vouched.index > s.commitIndex;
