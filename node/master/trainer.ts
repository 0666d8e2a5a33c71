/**
 * Trains the model on what the cluster has measured, when there is enough more of it than at the last time. What is
 * better on tasks that were held out becomes the next version once its weights lie on a majority; what isn't is
 * recorded as dropped.
 */

import { Readable } from 'node:stream';
import { evidenceOf } from '../../predictor/evidence.ts';
import { MAX_WEIGHTS_BYTES } from '../../predictor/model/weights-file.ts';
import type { ModelHost } from '../../predictor/model-host.ts';
import type { TrainingResult, TrainingTask } from '../../predictor/types.ts';
import type { WritableShelf } from '../../protocols/blob/index.ts';
import type { DroppedModel, LearnedFrom, ModelScore } from '../../protocols/schema/model.ts';
import { type Answer, fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import type { NodeId } from '../consensus/types.ts';
import type { Cancel, Clock, Logger, Random } from '../ports.ts';
import type { Tables } from '../state/tables.ts';
import type { Propose } from './propose.ts';
import { cachePoints, isTimeToTrain, TRAINING_RULE, type TrainingRule } from './training-plan.ts';

const CHECK_PERIOD_MS = 15_000;
/** What is known of so many tasks is put together before others get a turn. */
const TASKS_AT_ONCE = 16;
/** The newest tasks that see the cache; more would not make a better model, only a longer training. */
const MOST_TASKS = 512;

export interface TrainingView {
  readonly running: { readonly sinceMs: number; readonly learned: LearnedFrom } | null;
  /** What became of the last training under this master; null: there was none. */
  readonly last: string | null;
}

export interface TrainerOptions {
  /** @default TRAINING_RULE */
  readonly rule?: TrainingRule;
}

export interface TrainerDependencies {
  readonly self: NodeId;
  readonly tables: Tables;
  readonly host: ModelHost;
  readonly shelf: Pick<WritableShelf, 'ingest'>;
  readonly replicate: (sha256: string) => Promise<Answer<void>>;
  readonly propose: Propose;
  readonly clock: Clock;
  readonly random: Pick<Random, 'next'>;
  readonly logger: Logger;
}

/** One to learn from, and one to judge by. */
const FEWEST_TASKS = 2;
const TOO_FEW =
  'there is one task to learn from, and none to judge by what was learned; benchmark another function first';
const NOTHING_TO_LEARN =
  'there is nothing to learn from: no task was measured by cachegrind or resctrl, or ran in held ways, at two numbers of ways; benchmark some first';

type Learned = LearnedFrom & { readonly taskIds: readonly string[] };

export class Trainer {
  readonly #rule: TrainingRule;
  readonly #deps: TrainerDependencies;
  readonly #stopped = new AbortController();
  #stops: Cancel[] = [];
  #running: { readonly sinceMs: number; readonly learned: LearnedFrom } | null = null;
  /** What became of the last one on this node; null: there was none. */
  #last: string | null = null;
  /** Monotonic, of the last try of this node: one that failed leaves no trace in the tables. */
  #triedAtMs = Number.NEGATIVE_INFINITY;
  #seen = '';

  constructor(options: TrainerOptions, dependencies: TrainerDependencies) {
    this.#rule = options.rule ?? TRAINING_RULE;
    this.#deps = dependencies;
  }

  start(): void {
    this.#stops = [this.#deps.clock.every(CHECK_PERIOD_MS, () => void this.check())];
  }

  /** What runs is aborted: the next master decides for itself. */
  stop(): void {
    this.#stopped.abort();
    for (const stop of this.#stops.splice(0)) stop();
  }

  view(): TrainingView {
    return { running: this.#running, last: this.#last };
  }

  /** Begins a training when it is time for one. Cheap while nothing new has come in. */
  async check(): Promise<void> {
    const { tables, clock } = this.#deps;
    if (this.#running || this.#why() !== null) return;
    if (clock.monotonicMs() - this.#triedAtMs < this.#rule.intervalMs) return;
    const { profiles, observations, models } = tables.versions();
    const seen = `${profiles} ${observations} ${models}`;
    const last = tables.models.lastTraining();
    const sinceLastMs = last ? clock.nowMs() - last.trainedAtMs : Number.POSITIVE_INFINITY;
    if (seen === this.#seen || sinceLastMs < this.#rule.intervalMs) return;
    this.#seen = seen;
    const learned = await this.#learnable();
    if (this.#running || this.#stopped.signal.aborted) return;
    if (isTimeToTrain(learned, last?.learned ?? null, sinceLastMs, this.#rule)) void this.#train(learned);
  }

  /** Begins one by request; what it learns from. */
  async train(): Promise<Answer<LearnedFrom>> {
    const why = this.#why();
    if (why !== null) return fail({ code: 'CONFLICT', message: why });
    const learned = await this.#learnable();
    if (this.#running) {
      const message = 'the model is being trained already; GET /predictor/model tells when it is over';
      return fail({ code: 'CONFLICT', message });
    }
    if (learned.tasks === 0) return fail({ code: 'CONFLICT', message: NOTHING_TO_LEARN });
    if (learned.tasks < FEWEST_TASKS) return fail({ code: 'CONFLICT', message: TOO_FEW });
    void this.#train(learned);
    return succeed({ tasks: learned.tasks, points: learned.points });
  }

  /** Why this node can't train now; null: it can. */
  #why(): string | null {
    const { host, tables } = this.#deps;
    const { version, name } = host.info();
    const { current } = tables.models;
    if (version === null) return `the predictor in use (${name}) has no weights that could be trained`;
    // Else it would be compared with a version that nobody uses.
    if (version === current) return null;
    return `the master uses version ${version} of the model and does not have version ${current} yet; try again later`;
  }

  async #learnable(): Promise<Learned> {
    const { tables } = this.#deps;
    const taskIds: string[] = [];
    let points = 0;
    for (const [at, task] of tables.tasks().toReversed().entries()) {
      if (at % TASKS_AT_ONCE === TASKS_AT_ONCE - 1) await this.#breathe();
      const found = cachePoints(tables.profiles(task.id), tables.runTimes(task.id));
      if (found === 0) continue;
      points += found;
      taskIds.push(task.id);
    }
    return { tasks: taskIds.length, points, taskIds: taskIds.slice(0, MOST_TASKS) };
  }

  /** The event loop has other things to do. */
  #breathe(): Promise<void> {
    return new Promise((resolve) => this.#deps.clock.after(0, resolve));
  }

  async #train({ taskIds, ...learned }: Learned): Promise<void> {
    const { clock, logger, random, host } = this.#deps;
    const { signal } = this.#stopped;
    this.#triedAtMs = clock.monotonicMs();
    const trainedAtMs = clock.nowMs();
    this.#running = { sinceMs: trainedAtMs, learned };
    try {
      const base = host.info().version ?? 0;
      const seed = Math.floor(random.next() * 2 ** 31);
      logger.info({ ...learned, base, seed }, 'training begins');
      const tasks = await this.#evidence(taskIds, trainedAtMs);
      if (signal.aborted) return;
      const outcome = await host.train({ tasks, seed }, signal);
      if (signal.aborted) return;
      const ended = outcome.ok
        ? await this.#settle(outcome.value, { base, seed, learned, trainedAtMs })
        : fail(`the training failed: ${outcome.error}`);
      this.#last = ended.ok ? ended.value : ended.error;
      if (!ended.ok) logger.warn({ base, seed, reason: ended.error }, 'training came to nothing');
    } catch (error) {
      this.#last = 'the training broke down; the log of the master has the cause';
      logger.error({ err: error }, 'training broke down');
    } finally {
      this.#running = null;
    }
  }

  async #evidence(taskIds: readonly string[], nowMs: number): Promise<TrainingTask[]> {
    const { tables } = this.#deps;
    const tasks: TrainingTask[] = [];
    for (const [at, taskId] of taskIds.entries()) {
      if (at % TASKS_AT_ONCE === TASKS_AT_ONCE - 1) await this.#breathe();
      if (this.#stopped.signal.aborted) return tasks;
      const { curves } = evidenceOf(tables.profiles(taskId), tables.runTimes(taskId), nowMs);
      tasks.push({ taskId, curves });
    }
    return tasks;
  }

  /** Makes the outcome durable. Ok: what became of it; else why nothing did. */
  async #settle(
    result: TrainingResult,
    origin: Pick<DroppedModel, 'base' | 'seed' | 'learned' | 'trainedAtMs'>,
  ): Promise<Outcome<string, string>> {
    const { before, after, extent, backend, weights } = result;
    if (!isSound(before) || !isSound(after)) return fail('the training gave scores that are no numbers');
    const { self: node, logger } = this.#deps;
    const model: DroppedModel = { ...origin, before, after, extent, backend, node };
    const scores = `loss ${round(after.loss)} instead of ${round(before.loss)} on tasks that were held out`;
    if (!(after.loss < before.loss)) {
      const dropped = await this.#deps.propose({ type: 'model-drop', model });
      if (!dropped.ok) return fail('the outcome could not be committed');
      logger.info({ base: origin.base, before, after }, 'model candidate dropped');
      return succeed(`a candidate was dropped: ${scores}`);
    }
    const stored = await this.#deps.shelf.ingest(Readable.from([weights]), MAX_WEIGHTS_BYTES);
    if (!stored.ok) return fail(`the weights could not be stored: ${stored.error.message}`);
    const replicated = await this.#deps.replicate(stored.value.sha256);
    if (!replicated.ok) return fail(`the weights could not be stored: ${replicated.error.message}`);
    if (this.#stopped.signal.aborted) return fail('this node stopped being master');
    const put = await this.#deps.propose({ type: 'model-put', model: { ...model, ...stored.value } });
    if (!put.ok) return fail('the version could not be committed');
    if (!put.value.ok)
      return fail('another version was chosen meanwhile, so this one was compared with the wrong one');
    const version = put.value.modelVersion ?? 0;
    logger.info(
      { version, base: origin.base, sha256: stored.value.sha256, before, after },
      'model version accepted',
    );
    return succeed(`version ${version} was accepted: ${scores}`);
  }
}

const isSound = (score: ModelScore): boolean => Object.values(score).every((value) => Number.isFinite(value));
const round = (value: number): string => String(Number(value.toPrecision(4)));
