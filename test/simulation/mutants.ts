/**
 * Bugs to plant in a copy of the sources, to see that the simulator finds them. `find` must stand exactly
 * once in `file`.
 */
import type { Hostility } from './hostile.ts';

export interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Under which it is hunted. @default none */
  readonly hostility?: Hostility;
  /**
   * Seed that the hunt begins with: a rare fault is met soon. Where the simulator has changed since, the hunt takes
   * longer, and finds it none the less.
   * @default 1
   */
  readonly from?: number;
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'placements that are on their way into the tables hold no ways',
    file: 'node/master/placement.ts',
    find: '    if (assignment) holders.push(holderOf(spec, assignment));\n',
    replace: '',
  },
  {
    name: 'a plan lends the ways of one step to the next again',
    file: 'node/master/placement.ts',
    find: 'open = lend(open, run.spec, placement);',
    replace: '',
  },
  {
    name: 'runs that share a pool are counted as if it were empty',
    file: 'node/master/placement.ts',
    find: 'return poolWays(sharing + 1, minWays) - poolWays(sharing, minWays);',
    replace: 'return 0;',
  },
  {
    name: 'a run is placed beside one that is measured',
    file: 'node/master/placement.ts',
    find: '!takesRuns || here.some(({ alone }) => alone === true)',
    replace: '!takesRuns',
  },
  {
    name: 'a run asks for more ways than a domain can lend',
    file: 'node/master/placement.ts',
    find: 'const ways = Math.min(all, freeWays + lentThere);',
    replace: 'const ways = all;',
  },
  {
    name: 'entries of earlier terms are committed by counting replicas (Raft, section 5.4.2, figure 8)',
    file: 'node/consensus/replication.ts',
    find: 'if (index <= s.commitIndex || s.log.termAt(index) !== s.term) return;',
    replace: 'if (index <= s.commitIndex) return;',
  },
  {
    name: 'acknowledging before the persist',
    file: 'node/consensus/core-state.ts',
    find: "    case 'append-accepted':\n      return true;",
    replace: "    case 'append-accepted':\n      return false;",
  },
  {
    name: 'votes leave before they are on disk',
    file: 'node/consensus/core-state.ts',
    find: 'return !message.pre && message.granted;',
    replace: 'return false;',
    from: 521,
  },
  {
    name: "the leader counts its own log before it is on disk (etcd-io/etcd#14370, 'acknowledging before the fsync')",
    file: 'node/consensus/replication.ts',
    find: 'id === s.id ? s.durability.index :',
    replace: 'id === s.id ? s.log.lastIndex :',
  },
  {
    name: 'a vote is given to a log that lags behind (section 5.4.1)',
    file: 'node/consensus/elections.ts',
    find: '((pre && term > s.term) || free) && s.log.isUpToDate(lastIndex, lastTerm)',
    replace: '((pre && term > s.term) || free) && s.log.isUpToDate(lastIndex + 9, lastTerm)',
  },
  {
    name: 'two votes in a term (section 5.2)',
    file: 'node/consensus/elections.ts',
    find: 's.votedFor === from || (s.votedFor === null',
    replace: 's.votedFor === from || (true',
  },
  {
    name: 'appends are taken without looking at what precedes them (section 5.3)',
    file: 'node/consensus/following.ts',
    find: 'if (s.log.termAt(previousIndex) !== previousTerm) {',
    replace: 'if (s.log.termAt(previousIndex) === null) {',
  },
  {
    name: 'a delayed, shorter append cuts the log (figure 2, AppendEntries step 3)',
    file: 'node/consensus/following.ts',
    find: 'const missing = s.log.firstMissing(entries);',
    replace: 'const missing = entries[0] ?? null;',
  },
  {
    name: 'the commit index of a heartbeat is not clipped to what the follower holds',
    file: 'node/consensus/replication.ts',
    find: 'Math.min(progress.match, s.commitIndex)',
    replace: 's.commitIndex',
  },
  {
    name: 'the append ABA race: a truncated write still counts when it is confirmed',
    file: 'node/consensus/core-state.ts',
    find: '    this.durability.truncated(index);\n',
    replace: '',
  },
  {
    name: 'membership steps before the first commit of the term, and several at once',
    file: 'node/consensus/proposals.ts',
    find: 's.log.termAt(s.commitIndex) !== s.term || s.configurations.index > s.commitIndex',
    replace: 'false',
  },
  {
    name: 'a truncated configuration stays in force (thesis, section 4.1)',
    file: 'node/consensus/core-state.ts',
    find: '    this.configurations.truncate(index);\n',
    replace: '',
    from: 292,
  },
  {
    name: 'lagging terms are met with silence (etcd-io/etcd#8501)',
    file: 'node/consensus/core.ts',
    find: '    answerEarlierTerm(s, from, message);\n',
    replace: '',
    from: 141,
  },
  {
    name: 'no pre-vote lease: a removed node unseats leaders (hashicorp/raft#524)',
    file: 'node/consensus/core.ts',
    find: 'if (upholdsLeader(s, from)) return false;',
    replace: '',
  },
  {
    name: 'a learner leads',
    file: 'node/consensus/admission.ts',
    find: "  if (!isTrusted(s, from)) return 'not-a-voter';\n",
    replace: '',
    hostility: 'learner',
  },
  {
    name: 'a member outside of the configuration leads',
    file: 'node/consensus/admission.ts',
    find: 'if (isVoter(s.configuration, id)) return true;',
    replace: 'if (!isMember(s.configuration, id)) return true;',
    hostility: 'outsider',
  },
  {
    name: 'a removed member leads',
    file: 'node/consensus/admission.ts',
    find: 'return s.vouched.size > 0 || !isSettled(s) ? trusted(s).has(id) : false;',
    replace: 'return trusted(s).has(id) || isVoter(s.configurations.previous, id);',
    hostility: 'removed',
  },
  {
    name: 'a removed voter stays one by what it said while it was one',
    file: 'node/consensus/admission.ts',
    find: 'const ids = new Set(ownIds(s));',
    replace: 'const ids = new Set([...ownIds(s), ...s.vouched.keys()]);',
    hostility: 'removed',
  },
  {
    name: 'votes are given to learners',
    file: 'node/consensus/admission.ts',
    find: "return isTrusted(s, from) ? null : 'not-a-voter';",
    replace: 'return null;',
    hostility: 'learner',
  },
  {
    name: 'the word of a learner brings a later term',
    file: 'node/consensus/admission.ts',
    find: 'message.term <= s.term || mayRaiseTerm(s, from, message.term)',
    replace: 'true',
    hostility: 'learner',
  },
  {
    name: 'voters are believed whoever names them',
    file: 'node/consensus/admission.ts',
    find: 'for (const id of ids) for (const other of s.vouched.get(id)?.voters ?? []) ids.add(other);',
    replace: 'for (const { voters } of s.vouched.values()) for (const other of voters) ids.add(other);',
    hostility: 'outsider',
  },
  {
    name: 'a node that is behind is told of no later voters',
    file: 'node/consensus/admission.ts',
    find: 'if (!isLater({ index, term }, asked)) return;',
    replace: 'if (!isLater({ index, term }, asked) || asked.index > 0) return;',
  },
  {
    name: 'a second leader of the term ends the process',
    file: 'node/consensus/admission.ts',
    find: "if (isSecond) return 'second-leader';",
    replace: "if (isSecond) throw new Error('two leaders');",
    hostility: 'lying voter',
  },
  {
    name: 'entries are taken out of order',
    file: 'node/consensus/admission.ts',
    find: "message.type === 'append' && !isSound(message) ? 'unsound-append' : null",
    replace: 'null',
    hostility: 'lying voter',
  },
  {
    name: 'any term is taken over',
    file: 'node/consensus/terms.ts',
    find: 'term <= Math.max(nowMs, PLENTY)',
    replace: 'true || nowMs > PLENTY',
    hostility: 'meddling voter',
  },
  {
    name: 'a learner that never answered is alive and caught up',
    file: 'node/consensus/membership.ts',
    find: 'const caughtUp = matchIndex > 0 && commitIndex - matchIndex <= CAUGHT_UP_ENTRIES;\n  return { id, alive: active, ',
    replace:
      'const caughtUp = commitIndex - matchIndex <= CAUGHT_UP_ENTRIES;\n  return { id, alive: active || matchIndex === 0, ',
    hostility: 'silent',
  },
];
