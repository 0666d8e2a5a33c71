/**
 * Runs a transcript: blocks of a command, `----`, and the trace that it has to give, parted by empty lines;
 * lines that begin with # are comments. Commands:
 *
 *   cluster a b c [| d]   voters and learners of a cluster that exists already
 *   fresh z               a node that nobody knows
 *   introduce z a         a lets it in
 *   tick a 10             (or `tick all 3`, which delivers nothing)
 *   deliver [without c]   until nobody has anything more to say
 *   drop                  all messages under way are lost
 *   propose a x y         two commands
 *   change a remove c
 *   hold a / sync a       writes of a wait / reach the disk, one by one, until none waits; then no more are held
 *   lost b a              b's transport lost a
 *   restart a             what isn't synced is lost
 *   show                  role, term, leader, commit index and log of all
 */
import type { Message } from '../../../node/consensus/messages.ts';
import type { ConfigurationChange } from '../../../node/consensus/types.ts';
import { Bench, entryText } from './bench.ts';

const CHANGES: readonly string[] = ['add-learner', 'promote', 'demote', 'remove'];

const isChange = (type: string | undefined): type is ConfigurationChange['type'] =>
  type !== undefined && CHANGES.includes(type);

export function runTranscript(text: string): string {
  const session = new Session();
  const blocks = text.trim().split(/\n\n+/);
  return `${blocks.map((block) => session.block(block)).join('\n\n')}\n`;
}

class Session {
  #bench = new Bench([], { voters: [], learners: [] });
  #lines: string[] = [];

  block(block: string): string {
    const [head = ''] = block.split('\n----');
    const commands = head.split('\n').filter((line) => !line.startsWith('#'));
    if (commands.length === 0) return block;
    this.#lines = [];
    for (const command of commands) this.#run(command.trim().split(/\s+/));
    return [head, '----', ...this.#lines].join('\n');
  }

  #run([verb, ...words]: readonly string[]): void {
    const [first = '', second = '', third = ''] = words;
    switch (verb) {
      case 'cluster':
        this.#cluster(words);
        break;
      case 'fresh':
        this.#bench.add(first);
        this.#watch();
        break;
      case 'introduce':
        this.#bench.node(first).step({ type: 'introduce', by: [second] });
        break;
      case 'tick':
        for (const id of first === 'all' ? this.#bench.nodes.keys() : [first])
          this.#bench.node(id).tick(Number(second));
        break;
      case 'deliver':
        this.#deliver(words.slice(1));
        break;
      case 'drop':
        this.#bench.mail = [];
        break;
      case 'propose':
        this.#say(this.#bench.node(first).propose(...words.slice(1))?.refusal?.code);
        break;
      case 'change':
        if (!isChange(second)) throw new Error(`no such change: ${second}`);
        this.#say(
          this.#bench.node(first).step({ type: 'propose-change', change: { type: second, node: third } })
            ?.refusal?.code,
        );
        break;
      case 'hold':
        this.#bench.node(first).autoSync = false;
        break;
      case 'sync':
        this.#bench.node(first).sync();
        this.#bench.node(first).autoSync = true;
        break;
      case 'lost':
        this.#bench.node(first).step({ type: 'peer-unreachable', peer: second });
        break;
      case 'restart':
        this.#bench.node(first).start();
        break;
      case 'show':
        this.#show();
        break;
      default:
        throw new Error(`no such command: ${verb}`);
    }
  }

  #cluster(words: readonly string[]): void {
    const bar = words.indexOf('|');
    const voters = bar < 0 ? words : words.slice(0, bar);
    const learners = bar < 0 ? [] : words.slice(bar + 1);
    this.#bench = new Bench([...voters, ...learners], { voters, learners });
    this.#watch();
  }

  #watch(): void {
    this.#bench.onSent = ({ from, to, message }) =>
      this.#lines.push(`${from} > ${to} ${messageText(message)}`);
    for (const node of this.#bench.nodes.values()) node.trace = (line) => this.#lines.push(line);
  }

  #deliver(away: readonly string[]): void {
    this.#bench.deliverWithout(...away);
  }

  #say(line: string | undefined): void {
    if (line !== undefined) this.#lines.push(`refused: ${line}`);
  }

  #show(): void {
    for (const node of this.#bench.nodes.values()) {
      const { role, term, leader, commitIndex } = node.core.status();
      this.#lines.push(
        `${node.id} ${role} term ${term} leader ${leader ?? '-'} commit ${commitIndex} log ${node.log().join(' ') || '-'}`,
      );
    }
  }
}

function messageText(message: Message): string {
  const term = `term ${message.term}`;
  switch (message.type) {
    case 'vote-request':
      return `${message.pre ? 'pre-vote?' : 'vote?'} ${term} last ${message.lastIndex}@${message.lastTerm}`;
    case 'vote-response':
      return `${message.pre ? 'pre-vote' : 'vote'} ${message.granted ? 'yes' : 'no'} ${term}`;
    case 'append':
      return `append ${term} after ${message.previousIndex}@${message.previousTerm} commit ${message.commitIndex} [${message.entries.map(entryText).join(' ')}]`;
    case 'append-accepted':
      return `accepted ${term} match ${message.matchIndex}`;
    case 'append-rejected':
      return `rejected ${term} after ${message.previousIndex} hint ${message.hintIndex}@${message.hintTerm}`;
    case 'heartbeat':
      return `heartbeat ${term} commit ${message.commitIndex}`;
    case 'heartbeat-response':
      return `heartbeat heard ${term}`;
    case 'voters-request':
      return `voters? after ${message.configurationIndex}@${message.configurationTerm}`;
    case 'voters-response':
      return `voters ${message.configurationIndex}@${message.configurationTerm} {${message.voters.join(' ')}}`;
  }
}
