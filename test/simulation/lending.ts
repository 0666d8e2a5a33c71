/**
 * Masters that lend ways by the tables, as `Scheduler` does: through the real placement, with what they have proposed
 * and not yet seen applied. Runs of varied ways are made, placed, started, ended, queued again and cancelled, by
 * current masters and deposed ones.
 */

import {
  type DomainOffer,
  holdersOf,
  offersOf,
  type Pending,
  planQueue,
  waitingOf,
} from '../../node/master/placement.ts';
import { decodeCommand, encodeCommand } from '../../node/state/commands.ts';
import { createRun } from '../../node/state/run-lifecycle.ts';
import { Tables } from '../../node/state/tables.ts';
import type { ApplyResult } from '../../node/state/types.ts';
import type { CapacityNotice } from '../../protocols/schema/capacity.ts';
import type { Command } from '../../protocols/schema/command.ts';
import { type Assignment, isPlaced, type Run, type RunSpec } from '../../protocols/schema/run.ts';
import { domainOf, specOf } from '../builders/nouns.ts';
import { Violation } from './checker.ts';
import type { Prng } from './prng.ts';
import type { SimMachine } from './sim-machine.ts';

type Worker = Pick<CapacityNotice, 'node' | 'domains' | 'runs' | 'takesRuns'>;

const cpus = (count: number): number[] => Array.from({ length: count }, (_, cpu) => cpu);

/** The caches of the workers: reserves, unlike domains, a CPU that lends two ways at least. */
const WORKERS: readonly Worker[] = [
  {
    node: 'w1',
    runs: [],
    takesRuns: true,
    domains: [
      domainOf({ id: 0, cpus: cpus(4), ways: 12, freeWays: 10, wayBytes: 1 }),
      domainOf({ id: 8, cpus: cpus(20), ways: 12, freeWays: 11, wayBytes: 1 }),
    ],
  },
  {
    node: 'w2',
    runs: [],
    takesRuns: true,
    domains: [domainOf({ id: 3, cpus: cpus(8), ways: 20, freeWays: 16, wayBytes: 1, minWays: 2 })],
  },
];
const MEMBERS_PER_WAY = 4;
const POOL_MEMBERS = 16;
const TASK = 'task';
const MOST_ACTIVE = 40;
/** Commands, here, in place of milliseconds. */
const STARVATION = 60;

export class LendingMachine implements SimMachine {
  readonly tables = new Tables({ keptFinishedRuns: 20 });
  readonly #random: Prng;
  /** Of this node as master of `#term`. */
  readonly #pending = new Map<string, Pending>();
  readonly #outgoing: Command[] = [];
  #term = 0;

  constructor(random: Prng) {
    this.#random = random;
  }

  apply(data: Uint8Array, index: number): ApplyResult {
    const result = this.tables.apply(data, index);
    const command = decodeCommand(data);
    if (command?.type === 'run-create') this.#pending.delete(command.spec.id);
    if (command?.type === 'run-assign') this.#pending.delete(command.runId);
    checkLending(this.tables.activeRuns());
    return result;
  }

  reset(): void {
    this.tables.reset();
    this.#forget();
  }

  digest(): string {
    return this.tables.fingerprint();
  }

  /** What this node proposes as master of `term`; a node that isn't `ready` to be one only repeats what is stale. */
  next(atMs: number, term: number, ready: boolean): Uint8Array {
    if (term !== this.#term) this.#forget();
    this.#term = term;
    return encodeCommand(ready ? this.#lead(atMs) : this.#step(atMs));
  }

  /** It never entered the log. */
  refused(data: Uint8Array): void {
    const command = decodeCommand(data);
    if (command?.type === 'run-create') this.#pending.delete(command.spec.id);
    if (command?.type === 'run-assign') this.#pending.delete(command.runId);
  }

  /** Commands that end every run. */
  drain(atMs: number): Uint8Array[] {
    const outgoing = this.#outgoing.splice(0);
    const ends = this.tables.activeRuns().map((run) => endOf(run, atMs));
    return [...outgoing, ...ends].map(encodeCommand);
  }

  /** Once all runs are over every way can be lent again. */
  checkDrained(atMs: number): void {
    const active = this.tables.activeRuns();
    if (active.length > 0) throw new Violation('ways are free again', `${active.length} runs never ended`);
    const whole = this.#domains().map((domain) =>
      createRun(
        {
          ...newSpec('whole', atMs),
          ways: domain.ways,
          pinnedTo: { node: domain.node, domain: domain.domain },
        },
        null,
      ),
    );
    const placed = this.#plan(whole, atMs);
    if (placed.length !== whole.length || this.#domains().some(({ ways, freeWays }) => ways !== freeWays)) {
      throw new Violation(
        'ways are free again',
        `only ${placed.length} of ${whole.length} domains can be lent whole`,
      );
    }
  }

  #forget(): void {
    this.#pending.clear();
    this.#outgoing.length = 0;
  }

  #lead(atMs: number): Command {
    const { tables } = this;
    if (tables.task(TASK) === undefined) return { type: 'task-create', task: TASK_ROW };
    const active = tables.activeRuns();
    const waiting = waitingOf(active, this.#pending);
    if (active.length + this.#pending.size < MOST_ACTIVE && this.#random.chance(0.4)) {
      const spec = this.#drawSpec(atMs);
      const candidate = createRun(spec, null);
      const placement = this.#plan([...waiting, candidate], atMs).find(
        ({ run }) => run === candidate,
      )?.placement;
      const assignment =
        placement === undefined ? null : { ...placement, term: this.#term, attempt: 1, atMs };
      this.#pending.set(spec.id, { spec, assignment });
      return { type: 'run-create', spec, assignment };
    }
    // All of a plan is reserved at once, and proposed step by step.
    if (this.#outgoing.length === 0 && this.#random.chance(0.4)) this.#pump(waiting, atMs);
    return this.#outgoing.shift() ?? this.#step(atMs);
  }

  #pump(waiting: readonly Run[], atMs: number): void {
    for (const { run, placement } of this.#plan(waiting, atMs)) {
      const assignment: Assignment = { ...placement, term: this.#term, attempt: run.attempts + 1, atMs };
      this.#pending.set(run.spec.id, { spec: run.spec, assignment });
      this.#outgoing.push({ type: 'run-assign', runId: run.spec.id, assignment });
    }
  }

  /** The life of a run goes on, by its own fence or by one that is stale. */
  #step(atMs: number): Command {
    const random = this.#random;
    const active = this.tables.activeRuns();
    if (active.length === 0) return { type: 'run-cancel', runId: 'nobody', atMs };
    const run = random.pick(active);
    const runId = run.spec.id;
    const attempt = (run.assignment?.attempt ?? 1) - (random.chance(0.15) ? 1 : 0);
    const term = (run.assignment?.term ?? 1) - (random.chance(0.1) ? 1 : 0);
    const dice = random.next();
    if (dice < 0.3) return { type: 'run-start', runId, term, attempt, atMs };
    if (dice < 0.7)
      return {
        type: 'run-finish',
        runId,
        term,
        attempt,
        state: 'succeeded',
        result: null,
        error: null,
        atMs,
      };
    if (dice < 0.9) return { type: 'run-requeue', runId, attempt, reason: 'refused', atMs };
    return { type: 'run-cancel', runId, atMs };
  }

  #drawSpec(atMs: number): RunSpec {
    const random = this.#random;
    const spec = { ...newSpec(`run${atMs}`, atMs), ways: random.between(1, 24) };
    const dice = random.next();
    if (dice < 0.3) return { ...spec, ways: 1, sensitive: false };
    if (dice < 0.5) return { ...spec, ways: random.between(1, 3) };
    const worker = random.pick(WORKERS);
    const pinnedTo = { node: worker.node, domain: random.pick(worker.domains).id };
    if (dice < 0.6) return { ...spec, pinnedTo };
    if (dice > 0.65) return spec;
    const ways = random.between(1, 10);
    return {
      ...spec,
      ways,
      pinnedTo,
      purpose: 'benchmark',
      measure: { profiler: 'resctrl', ways, wayBytes: 1 },
    };
  }

  #plan(queue: readonly Run[], nowMs: number) {
    return planQueue(queue, this.#domains(), { nowMs, starvationMs: STARVATION });
  }

  #domains(): DomainOffer[] {
    return offersOf(WORKERS, holdersOf(this.tables.activeRuns(), this.#pending));
  }
}

function endOf(run: Run, atMs: number): Command {
  const runId = run.spec.id;
  if (run.assignment === null || !isPlaced(run)) return { type: 'run-cancel', runId, atMs };
  const { term, attempt } = run.assignment;
  return { type: 'run-finish', runId, term, attempt, state: 'succeeded', result: null, error: null, atMs };
}

/** What the tables say is lent, counted by hand. */
function checkLending(active: readonly Run[]): void {
  const placed = active.filter(isPlaced);
  for (const run of placed) {
    const { assignment } = run;
    const known = WORKERS.find(({ node }) => node === assignment?.node)?.domains.some(
      ({ id }) => id === assignment?.domain,
    );
    if (known !== true) throw new Violation('no run beyond a domain', `${run.spec.id} is nowhere`);
  }
  for (const { node, domains } of WORKERS) {
    for (const {
      id,
      freeWays: lendable,
      minWays = 1,
      cpus: { length: most },
    } of domains) {
      const here = placed.filter(({ assignment }) => assignment?.node === node && assignment.domain === id);
      const where = `domain ${id} of ${node}`;
      const ways = here.map(({ assignment }) => assignment?.ways ?? 0);
      if (ways.some((each) => each < minWays || each > lendable))
        throw new Violation(
          'no run beyond a domain',
          `${ways.join(' + ')} ways on ${where}, which lends ${minWays} to ${lendable}`,
        );
      const sharing = here.filter(({ spec }) => spec.sensitive === false).length;
      const own = here.reduce(
        (sum, { spec, assignment }) => sum + (spec.sensitive === false ? 0 : (assignment?.ways ?? 0)),
        0,
      );
      const lent = own + (sharing === 0 ? 0 : Math.max(minWays, Math.ceil(sharing / MEMBERS_PER_WAY)));
      if (lent > lendable || sharing > POOL_MEMBERS)
        throw new Violation(
          'no way is lent twice',
          `${lent} of ${lendable} ways of ${where}, ${sharing} runs share`,
        );
      if (here.length > most)
        throw new Violation('no CPU is lent twice', `${here.length} of ${most} of ${where}`);
      if (here.length > 1 && here.some(({ spec }) => spec.measure != null))
        throw new Violation('measured alone', `${here.length} runs on ${where}`);
    }
  }
}

const TASK_ROW = {
  id: TASK,
  name: 'function',
  fileName: 'f.py',
  sha256: '0'.repeat(64),
  size: 1,
  command: null,
  secrets: [],
  createdAtMs: 1,
};

const newSpec = (id: string, createdAtMs: number): RunSpec =>
  specOf({ id, taskId: TASK, inputSize: 1, ways: 1, timeLimitMs: 1000, createdAtMs });
