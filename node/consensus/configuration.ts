/** Configurations and single-server changes of them (Ongaro's thesis, chapter 4). Pure. */
import { MAX_MEMBERS } from '../../protocols/schema/fields.ts';
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import type { Configuration, ConfigurationChange, Entry, NodeId } from './types.ts';

export const EMPTY_CONFIGURATION: Configuration = { voters: [], learners: [] };

export const isVoter = (configuration: Configuration, id: NodeId): boolean =>
  configuration.voters.includes(id);

export const isMember = (configuration: Configuration, id: NodeId): boolean =>
  configuration.voters.includes(id) || configuration.learners.includes(id);

/** How many voters are a majority. */
export const quorum = (configuration: Configuration): number =>
  Math.floor(configuration.voters.length / 2) + 1;

const withNode = (ids: readonly NodeId[], id: NodeId): readonly NodeId[] => [...ids, id].sort();
const withoutNode = (ids: readonly NodeId[], id: NodeId): readonly NodeId[] =>
  ids.filter((other) => other !== id);

/** The configuration after `change`, or why that makes no sense. */
export function applyChange(
  configuration: Configuration,
  change: ConfigurationChange,
): Outcome<Configuration, string> {
  const { voters, learners } = configuration;
  const { node } = change;
  const votes = voters.includes(node);
  const learns = learners.includes(node);
  switch (change.type) {
    case 'add-learner':
      if (votes || learns) return fail(`${node} is in the configuration already`);
      // Nobody could read the entry: `codec.ts` takes no more.
      if (voters.length + learners.length >= MAX_MEMBERS) return fail(`${MAX_MEMBERS} nodes are the most`);
      return succeed({ voters, learners: withNode(learners, node) });
    case 'promote':
      if (!learns) return fail(`${node} is not a learner; add it as one first`);
      return succeed({ voters: withNode(voters, node), learners: withoutNode(learners, node) });
    case 'demote':
      if (!votes) return fail(`${node} is not a voter`);
      if (voters.length === 1) return fail(`${node} is the only voter`);
      return succeed({ voters: withoutNode(voters, node), learners: withNode(learners, node) });
    case 'remove':
      if (!votes && !learns) return fail(`${node} is not in the configuration`);
      if (votes && voters.length === 1) return fail(`${node} is the only voter`);
      return succeed({ voters: withoutNode(voters, node), learners: withoutNode(learners, node) });
  }
}

/**
 * The configuration in force is the newest one in the log, committed or not; when the log is truncated, the
 * one before it is in force again (thesis, section 4.1).
 */
export class ConfigurationHistory {
  #steps: { readonly index: number; readonly configuration: Configuration }[];

  constructor(entries: readonly Entry[], base: Configuration = EMPTY_CONFIGURATION) {
    this.#steps = [{ index: 0, configuration: base }];
    this.append(entries);
  }

  get current(): Configuration {
    return this.#steps.at(-1)?.configuration ?? EMPTY_CONFIGURATION;
  }

  /** The one before the current; in force again should the current be truncated. */
  get previous(): Configuration {
    return this.#steps.at(-2)?.configuration ?? EMPTY_CONFIGURATION;
  }

  /** Where in the log the current configuration stands; 0: it came before the log. */
  get index(): number {
    return this.#steps.at(-1)?.index ?? 0;
  }

  /** Where in the log `id` last ceased to be a voter; null when it never was, or is one. */
  lostVoteAt(id: NodeId): number | null {
    const last = this.#steps.findLastIndex(({ configuration }) => isVoter(configuration, id));
    return last < 0 ? null : (this.#steps[last + 1]?.index ?? null);
  }

  append(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.kind === 'configuration') {
        this.#steps.push({ index: entry.index, configuration: entry.configuration });
      }
    }
  }

  truncate(index: number): void {
    while (this.#steps.length > 1 && this.index >= index) this.#steps.pop();
  }
}
