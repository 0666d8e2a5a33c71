/** Nodes on a bench: real cores and replicas, every message, tick and sync by hand. */
import { RaftCore } from '../../../node/consensus/core.ts';
import type { CoreOptions } from '../../../node/consensus/core-state.ts';
import type { Input, Message, MessageOf, Persist, Proposed } from '../../../node/consensus/messages.ts';
import type { Objection } from '../../../node/consensus/objections.ts';
import { Replica } from '../../../node/consensus/replica.ts';
import type { Configuration, Entry, NodeId } from '../../../node/consensus/types.ts';
import { MemoryDisk } from '../../support/memory-log-store.ts';

export interface Letter {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly message: Message;
}

export const ELECTION_TICKS = 10;

export class BenchNode {
  readonly id: NodeId;
  readonly disk = new MemoryDisk();
  readonly applied: Entry[] = [];
  readonly refused: Objection[] = [];
  /** When false, writes wait for `sync`. */
  autoSync = true;
  /** What `dice.next()` gives: 0 is the shortest election timeout. The later a node is listed, the longer its own. */
  luck = 0;
  core!: RaftCore;
  replica!: Replica;
  inFlight: Persist | null = null;
  /** Hears of writes and applied entries. */
  trace: ((line: string) => void) | null = null;
  readonly #options: CoreOptions;
  readonly #send: (letter: Letter) => void;

  constructor(options: CoreOptions, send: (letter: Letter) => void) {
    this.id = options.id;
    this.#options = options;
    this.#send = send;
  }

  /** (Re)starts from what is on disk; a write in flight is lost. */
  start(): void {
    this.inFlight = null;
    this.applied.length = 0;
    const { hardState, entries } = this.disk;
    this.core = new RaftCore(this.#options, { hardState, entries: [...entries] }, { next: () => this.luck });
    this.replica = new Replica(this.core, {
      write: (persist) => {
        this.inFlight = persist;
        this.trace?.(`${this.id} writes ${persistText(persist)}`);
      },
      send: (to, message) => this.#send({ from: this.id, to, message }),
      apply: (entry) => {
        this.applied.push(entry);
        this.trace?.(`${this.id} applies ${entry.index} ${entryText(entry)}`);
      },
      refused: ({ peer, objection }) => {
        this.refused.push(objection);
        this.trace?.(`${this.id} refuses ${peer}: ${objection}`);
      },
    });
    this.replica.begin();
  }

  step(input: Input): Proposed | null {
    const proposed = this.replica.step(input);
    if (this.autoSync) this.sync();
    return proposed;
  }

  /** Writes reach the disk until none is left. */
  sync(): void {
    while (this.inFlight !== null) this.syncOne();
  }

  syncOne(): void {
    const persist = this.inFlight;
    if (persist === null) return;
    this.disk.write(persist);
    this.inFlight = null;
    this.trace?.(`${this.id} synced #${persist.sequence}`);
    this.replica.written();
  }

  tick(times = 1): void {
    for (let tick = 0; tick < times; tick++) this.step({ type: 'tick' });
  }

  propose(...commands: string[]): Proposed | null {
    return this.step({ type: 'propose', commands: commands.map((text) => new TextEncoder().encode(text)) });
  }

  receive(from: NodeId, message: Message): void {
    this.step({ type: 'message', from, message });
  }

  /** The log as "term:payload" for comparing. */
  log(): string[] {
    const lines: string[] = [];
    for (let index = this.core.log.firstIndex; index <= this.core.log.lastIndex; index++) {
      const entry = this.core.log.entryAt(index);
      if (entry !== null) lines.push(entryText(entry));
    }
    return lines;
  }

  commands(): string[] {
    return this.applied.flatMap((entry) =>
      entry.kind === 'command' ? [new TextDecoder().decode(entry.data)] : [],
    );
  }
}

export const entryText = (entry: Entry): string => {
  if (entry.kind === 'noop') return `${entry.term}:noop`;
  if (entry.kind === 'command') return `${entry.term}:${new TextDecoder().decode(entry.data)}`;
  const { voters, learners } = entry.configuration;
  return `${entry.term}:{${voters.join(' ')}|${learners.join(' ')}}`;
};

const persistText = ({ sequence, hardState: { term, votedFor, commitIndex }, entries }: Persist): string => {
  const log =
    entries.length === 0 ? '' : `, log from ${entries[0]?.index}: ${entries.map(entryText).join(' ')}`;
  return `#${sequence} term ${term} vote ${votedFor ?? '-'} commit ${commitIndex}${log}`;
};

export class Bench {
  readonly nodes = new Map<NodeId, BenchNode>();
  /** Sent and neither delivered nor dropped yet. */
  mail: Letter[] = [];
  /** Everything ever sent. */
  readonly sent: Letter[] = [];

  onSent: ((letter: Letter) => void) | null = null;
  readonly #options: Partial<CoreOptions>;

  constructor(ids: readonly NodeId[], configuration: Configuration, options: Partial<CoreOptions> = {}) {
    this.#options = options;
    for (const [position, id] of ids.entries()) {
      const node = this.#make(id);
      node.luck = (0.9 * position) / ids.length;
      if ([...configuration.voters, ...configuration.learners].includes(id)) {
        node.disk.write({
          hardState: { term: 1, votedFor: null, commitIndex: 1 },
          entries: [{ kind: 'configuration', term: 1, index: 1, configuration }],
        });
      }
      node.start();
    }
  }

  /** A node that nobody knows. */
  add(id: NodeId): void {
    this.#make(id).start();
  }

  #make(id: NodeId): BenchNode {
    const node = new BenchNode({ ...DEFAULTS, ...this.#options, id }, (letter) => {
      this.mail.push(letter);
      this.sent.push(letter);
      this.onSent?.(letter);
    });
    this.nodes.set(id, node);
    return node;
  }

  node(id: NodeId): BenchNode {
    const node = this.nodes.get(id);
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  /** Delivers until nothing is left; letters that `drop` picks are lost. */
  deliver(drop: (letter: Letter) => boolean = () => false): void {
    for (let round = 0; this.mail.length > 0; round++) {
      if (round > 1000) throw new Error('they never fall silent');
      for (const letter of this.mail.splice(0)) {
        if (!drop(letter)) this.nodes.get(letter.to)?.receive(letter.from, letter.message);
      }
    }
  }

  /** Everything to and from these nodes is lost. */
  deliverWithout(...ids: readonly NodeId[]): void {
    this.deliver(({ from, to }) => ids.includes(from) || ids.includes(to));
  }

  /** Ticks `id` until it campaigns, and delivers. */
  campaign(id: NodeId, drop?: (letter: Letter) => boolean): void {
    const node = this.node(id);
    const before = this.sent.length;
    for (let tick = 0; tick < 4 * ELECTION_TICKS; tick++) {
      node.tick();
      if (this.sent.slice(before).some(({ from, message }) => from === id && message.type === 'vote-request'))
        break;
      if (node.core.head().role === 'leader') break;
    }
    this.deliver(drop);
  }

  /** Time passes for everyone. */
  tick(times: number, drop?: (letter: Letter) => boolean): void {
    for (let tick = 0; tick < times; tick++) {
      for (const node of this.nodes.values()) node.tick();
      this.deliver(drop);
    }
  }

  /** What `id` sent since `start` of that type. */
  sentBy<Type extends Message['type']>(id: NodeId, type: Type, start = 0): MessageOf<Type>[] {
    return this.sent
      .slice(start)
      .filter(({ from, message }) => from === id && message.type === type)
      .map(({ message }) => message as MessageOf<Type>);
  }
}

const DEFAULTS: Omit<CoreOptions, 'id'> = {
  heartbeatTicks: 1,
  electionTicks: ELECTION_TICKS,
  hurryTicks: 3,
  maxAppendBytes: 1_000_000,
  windowAppends: 8,
  maxUncommittedBytes: 1_000_000,
};

/** Voters a, b, c… of a cluster that exists already. */
export const voters = (...ids: NodeId[]): Configuration => ({ voters: ids, learners: [] });

export function threeVoters(options: Partial<CoreOptions> = {}): Bench {
  return new Bench(['a', 'b', 'c'], voters('a', 'b', 'c'), options);
}
