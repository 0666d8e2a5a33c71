/**
 * What must never happen, whatever the weather (Raft, figure 3), seen from outside of the nodes.
 * Everything throws `Violation` at the moment at which it is seen.
 */
import { quorum } from '../../node/consensus/configuration.ts';
import type { Message } from '../../node/consensus/messages.ts';
import type { Entry, NodeId } from '../../node/consensus/types.ts';
import type { SimNode } from './sim-node.ts';

export class Violation extends Error {
  readonly property: string;

  constructor(property: string, detail: string) {
    super(`${property}: ${detail}`);
    this.name = 'Violation';
    this.property = property;
  }
}

interface CommittedRecord {
  readonly entry: Entry;
  /** Term of the node that first said so. */
  readonly inTerm: number;
}

const describe = (entry: Entry): string => `${entry.index}@${entry.term} ${entry.kind}`;

export function sameEntry(a: Entry, b: Entry): boolean {
  if (a === b) return true;
  if (a.term !== b.term || a.index !== b.index || a.kind !== b.kind) return false;
  if (a.kind === 'command' && b.kind === 'command') return Buffer.compare(a.data, b.data) === 0;
  if (a.kind === 'configuration' && b.kind === 'configuration') {
    return JSON.stringify(a.configuration) === JSON.stringify(b.configuration);
  }
  return true;
}

/** What is looked at as it happens, and in between. */
export interface Checks {
  readonly committedCount: number;
  leads(node: SimNode, term: number): void;
  stepped(node: SimNode): void;
  sends(from: NodeId, to: NodeId, message: Message): void;
  applies(node: SimNode, entry: Entry): void;
  acknowledged(index: number, data: Uint8Array): void;
  logsMatch(): void;
}

/** All that is left where a voter lies: what a running node has applied, it doesn't take back. */
export class OwnWordChecker implements Checks {
  readonly #applied = new Map<SimNode, Entry[]>();

  get committedCount(): number {
    return Math.max(0, ...[...this.#applied.values()].map(({ length }) => length));
  }

  leads(): void {}
  stepped(): void {}
  sends(): void {}
  acknowledged(): void {}

  applies(node: SimNode, entry: Entry): void {
    if (entry.index !== node.applied + 1) {
      throw new Violation('order', `${node.id} applies ${describe(entry)} after ${node.applied}`);
    }
    const applied = this.#applied.get(node) ?? [];
    applied.length = entry.index - 1;
    applied.push(entry);
    this.#applied.set(node, applied);
  }

  logsMatch(): void {
    for (const [node, applied] of this.#applied) {
      if (!node.alive) continue;
      for (const entry of applied.slice(0, node.applied)) {
        const held = node.core.log.entryAt(entry.index);
        if (held === null || !sameEntry(held, entry))
          throw new Violation('own word', `${node.id} has applied ${describe(entry)} and took it back`);
      }
    }
  }
}

export class Checker implements Checks {
  readonly #nodes: readonly SimNode[];
  readonly #leaders = new Map<number, NodeId>();
  readonly #votes = new Map<string, NodeId>();
  readonly #committed: CommittedRecord[] = [];
  /** Commit index of each node that led at its last step, and the term that it led. */
  readonly #commitOfLeader = new Map<SimNode, { readonly term: number; readonly index: number }>();

  constructor(nodes: readonly SimNode[]) {
    this.#nodes = nodes;
  }

  get committedCount(): number {
    return this.#committed.length;
  }

  /** Election safety: at most one leader a term. Leader completeness: it has all that was committed before. */
  leads(node: SimNode, term: number): void {
    const other = this.#leaders.get(term);
    if (other !== undefined && other !== node.id) {
      throw new Violation('election safety', `${other} and ${node.id} both lead term ${term}`);
    }
    if (other === node.id) return;
    this.#leaders.set(term, node.id);
    this.#configurationIsNewest(node);
    for (const { entry, inTerm } of this.#committed) {
      if (inTerm < term) this.#assertHolds(node, entry);
    }
  }

  /** Section 5.4.2: a leader advances its commit index only to entries of its own term. */
  stepped(node: SimNode): void {
    const { role, term } = node.head();
    if (role !== 'leader') {
      this.#commitOfLeader.delete(node);
      return;
    }
    const before = this.#commitOfLeader.get(node);
    if (before?.term === term && before.index === node.applied) return;
    this.#commitOfLeader.set(node, { term, index: node.applied });
    if (before?.term === term && node.core.log.termAt(node.applied) !== term) {
      throw new Violation(
        'commit rule',
        `${node.id} leads ${term} and commits ${node.applied} of an earlier term`,
      );
    }
  }

  /** One vote a term, restarts or not. */
  sends(from: NodeId, to: NodeId, message: Message): void {
    if (message.type === 'vote-response' && message.granted && !message.pre)
      this.#vote(from, message.term, to);
    if (message.type === 'vote-request' && !message.pre) this.#vote(from, message.term, from);
  }

  #vote(voter: NodeId, term: number, candidate: NodeId): void {
    const key = `${voter} in ${term}`;
    const before = this.#votes.get(key);
    if (before !== undefined && before !== candidate) {
      throw new Violation('one vote a term', `${key} voted for ${before} and for ${candidate}`);
    }
    this.#votes.set(key, candidate);
  }

  /** State machine safety, and that what is committed is on the disks of a majority. */
  applies(node: SimNode, entry: Entry): void {
    if (entry.index !== node.applied + 1) {
      throw new Violation('order', `${node.id} applies ${describe(entry)} after ${node.applied}`);
    }
    const known = this.#committed[entry.index - 1];
    if (known === undefined) {
      this.#commits(node, entry);
    } else if (!sameEntry(known.entry, entry)) {
      throw new Violation(
        'state machine safety',
        `${node.id} applies ${describe(entry)}, another node applied ${describe(known.entry)}`,
      );
    }
  }

  #commits(node: SimNode, entry: Entry): void {
    const { term, role, configuration } = node.head();
    this.#committed.push({ entry, inTerm: term });
    if (role === 'leader') {
      const held = this.#nodes.filter((other) => {
        const stored = configuration.voters.includes(other.id)
          ? other.disk.entries[entry.index - 1]
          : undefined;
        return stored !== undefined && sameEntry(stored, entry);
      });
      if (held.length < quorum(configuration)) {
        throw new Violation(
          'durability',
          `${node.id} commits ${describe(entry)} that only ${held.length} of ${configuration.voters.length} voters have on disk`,
        );
      }
    }
    for (const other of this.#nodes) {
      if (!other.alive) continue;
      const head = other.head();
      if (head.role === 'leader' && head.term > term) this.#assertHolds(other, entry);
    }
  }

  #assertHolds(node: SimNode, entry: Entry): void {
    const held = node.core.log.entryAt(entry.index);
    if (held === null || !sameEntry(held, entry)) {
      throw new Violation(
        'leader completeness',
        `${node.id} leads term ${node.head().term} without ${describe(entry)}, which is committed`,
      );
    }
  }

  /** An acknowledged proposal stands where its proposer was told. */
  acknowledged(index: number, data: Uint8Array): void {
    const known = this.#committed[index - 1]?.entry;
    if (known?.kind !== 'command' || Buffer.compare(known.data, data) !== 0) {
      throw new Violation(
        'acknowledged is kept',
        `${index} holds ${known === undefined ? 'nothing' : describe(known)}`,
      );
    }
  }

  /** Log matching: where two logs agree in one entry they agree in all before it. */
  logsMatch(): void {
    const logs = this.#nodes.filter((node) => node.alive);
    for (const node of logs) this.#configurationIsNewest(node);
    for (const [position, a] of logs.entries()) {
      for (const b of logs.slice(position + 1)) this.#pairMatches(a, b);
    }
  }

  /** Thesis, section 4.1: the configuration in force is the newest in the log. */
  #configurationIsNewest(node: SimNode): void {
    for (let index = node.core.log.lastIndex; index > 0; index--) {
      const entry = node.core.log.entryAt(index);
      if (entry?.kind !== 'configuration') continue;
      if (entry.configuration === node.head().configuration) return;
      throw new Violation(
        'configuration',
        `${node.id} doesn't go by ${describe(entry)}, the newest in its log`,
      );
    }
  }

  #pairMatches(a: SimNode, b: SimNode): void {
    const shorter = Math.min(a.core.log.lastIndex, b.core.log.lastIndex);
    let agree = false;
    for (let index = shorter; index > 0; index--) {
      const ofA = a.core.log.entryAt(index);
      const ofB = b.core.log.entryAt(index);
      if (ofA === null || ofB === null) continue;
      if (ofA.term === ofB.term && !sameEntry(ofA, ofB)) {
        throw new Violation('log matching', `${a.id} and ${b.id} differ in ${describe(ofA)}`);
      }
      agree ||= ofA.term === ofB.term;
      if (agree && ofA.term !== ofB.term) {
        throw new Violation('log matching', `${a.id} and ${b.id} differ at ${index} but agree after it`);
      }
    }
  }
}
