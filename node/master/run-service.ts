/** Runs as clients ask for them: predicted, admitted, awaited. */

import { chooseWays, generosity } from '../../predictor/choose-ways.ts';
import { gainsFromCache } from '../../predictor/sensitivity.ts';
import type { Prediction, Predictor } from '../../predictor/types.ts';
import type { LlcGeometry } from '../llc/geometry.ts';
import { TRAITS } from '../llc/profilers/traits.ts';
import { type Clock, fail, type Random, succeed } from '../ports.ts';
import type { Answer, RunRequest, SubmitRequest } from '../rest/backend.ts';
import { hasParameters } from '../state/parameters.ts';
import type { Tables } from '../state/tables.ts';
import type { Mode, Profile, Run, RunSpec, Task } from '../state/types.ts';
import type { DomainView } from './placement.ts';
import type { Scheduler } from './scheduler.ts';
import { inputSizeOf } from './submission.ts';

/** They travel in the log, which every voter keeps. */
const MAX_PARAMETERS_BYTES = 256 * 1024;

export interface RunServiceOptions {
  readonly timeLimitMs: number;
}

export interface RunServiceDependencies {
  readonly tables: Tables;
  readonly scheduler: Pick<Scheduler, 'admit' | 'domains' | 'freeWays'>;
  readonly predictor: Predictor;
  readonly clock: Clock;
  readonly random: Random;
}

type SpecOf = Pick<RunSpec, 'command' | 'inputSize' | 'parameters' | 'idempotencyKey'> & {
  readonly timeLimitMs: number | null;
};

/** `sensitive`: as of `RunSpec`. */
interface Choice {
  readonly mode: Mode;
  readonly ways: number;
  readonly sensitive?: boolean;
}

/** How one run of a benchmark differs from any other. `ways` are reserved. */
export type MeasurePlan = Pick<RunSpec, 'ways' | 'measure' | 'pinnedTo' | 'timeLimitMs'>;

export class RunService {
  readonly #options: RunServiceOptions;
  readonly #deps: RunServiceDependencies;

  constructor(options: RunServiceOptions, dependencies: RunServiceDependencies) {
    this.#options = options;
    this.#deps = dependencies;
  }

  /** Null: the task was never benchmarked, nothing is run. */
  async run(request: RunRequest): Promise<Answer<Run | null>> {
    const task = this.#deps.tables.task(request.taskId);
    if (!task) return unknownTask(request.taskId);
    const isSame = (spec: RunSpec) =>
      spec.taskId === task.id &&
      spec.command === request.command &&
      isSameInput(spec, request.inputSize, null);
    const repeated = this.#repeated(request.idempotencyKey, isSame);
    if (repeated) return repeated;
    const choice = await this.#choose(task, request.inputSize);
    if (choice.mode === 'INOP') return succeed(null);
    return this.#admit(this.#spec(task, { ...request, parameters: null }, choice), isSame);
  }

  /** As `run`, but a function that was never benchmarked runs too, with an equal share of a domain. */
  async submit(request: SubmitRequest): Promise<Answer<Run>> {
    const { tables } = this.#deps;
    const parameters = request.parameters === undefined ? null : JSON.stringify(request.parameters);
    if (parameters !== null && Buffer.byteLength(parameters) > MAX_PARAMETERS_BYTES) {
      return fail({
        code: 'TOO_LARGE',
        message: `parameters are at most ${MAX_PARAMETERS_BYTES / 1024} KiB as JSON; put larger input into the task's file`,
      });
    }
    const inputSize = inputSizeOf(request.parameters, parameters);
    if (inputSize === null) {
      return fail({
        code: 'BAD_REQUEST',
        message: `parameters.input_size must be a whole number from 0 to ${Number.MAX_SAFE_INTEGER}; leave it out to use the size of the parameters in bytes`,
      });
    }
    // By name: a newer task may have taken it since.
    const isSame = (spec: RunSpec) =>
      tables.task(spec.taskId)?.name === request.functionName && isSameInput(spec, inputSize, parameters);
    const repeated = this.#repeated(request.idempotencyKey, isSame);
    if (repeated) return repeated;
    const task = tables.taskNamed(request.functionName);
    if (!task) {
      return fail({
        code: 'NOT_FOUND',
        message: `there is no function ${JSON.stringify(request.functionName)}; upload its file to /controller/task/new first`,
      });
    }
    const { command } = task;
    if (command === null) {
      return fail({
        code: 'UNPROCESSABLE',
        message: `it is not known how to start ${task.fileName}; upload it again with the field command, or with a #! line`,
      });
    }
    const choice = await this.#choose(task, inputSize);
    const spec = {
      command,
      inputSize,
      parameters,
      timeLimitMs: null,
      idempotencyKey: request.idempotencyKey,
    };
    return this.#admit(this.#spec(task, spec, choice), isSame);
  }

  /** One measurement of a benchmark. */
  measure(request: RunRequest, plan: MeasurePlan): Promise<Answer<Run>> {
    const task = this.#deps.tables.task(request.taskId);
    if (!task) return Promise.resolve(unknownTask(request.taskId));
    const spec = this.#spec(
      task,
      { ...request, parameters: null, idempotencyKey: null },
      { mode: 'INOP', ways: plan.ways },
    );
    return this.#deps.scheduler.admit({ ...spec, ...plan, purpose: 'benchmark' });
  }

  async #choose(task: Task, inputSize: number): Promise<Choice> {
    const profiles = this.#deps.tables.profiles(task.id);
    const domain = largest(this.#deps.scheduler.domains());
    // Right after an election nobody may have been heard yet: then the machine of the benchmark stands for all.
    const geometry = domain ?? profiles[0] ?? { ways: 1, wayBytes: 1 };
    const prediction = await this.#deps.predictor.predict(profiles, inputSize, geometry);
    const ways =
      prediction.mode === 'INOP'
        ? Math.max(1, Math.floor(geometry.ways / Math.max(1, domain?.cpus ?? 1)))
        : chooseWays(prediction, { price: generosity(this.#deps.scheduler.freeWays()) }).ways;
    if (await this.#gains(profiles, prediction, inputSize, geometry)) return { mode: prediction.mode, ways };
    return { mode: prediction.mode, ways: 1, sensitive: false };
  }

  /** Times by instruments that don't see the cache can't show that a function gains nothing from it. */
  async #gains(
    profiles: readonly Profile[],
    prediction: Prediction,
    inputSize: number,
    geometry: LlcGeometry,
  ): Promise<boolean> {
    const seeing = profiles.filter(({ profiler }) => TRAITS[profiler].seesCache);
    if (seeing.length === profiles.length || seeing.length === 0)
      return seeing.length === 0 || gainsFromCache(prediction);
    return gainsFromCache(await this.#deps.predictor.predict(seeing, inputSize, geometry));
  }

  #spec(task: Task, request: SpecOf, choice: Choice): RunSpec {
    return {
      id: this.#deps.random.id(),
      taskId: task.id,
      command: request.command,
      inputSize: request.inputSize,
      parameters: request.parameters,
      purpose: 'run',
      mode: choice.mode,
      ways: choice.ways,
      ...(choice.sensitive === false && { sensitive: false }),
      pinnedTo: null,
      timeLimitMs: request.timeLimitMs ?? this.#options.timeLimitMs,
      idempotencyKey: request.idempotencyKey,
      createdAtMs: this.#deps.clock.nowMs(),
    };
  }

  #repeated(key: string | null, isSame: (spec: RunSpec) => boolean): Answer<Run> | null {
    const run = key === null ? undefined : this.#deps.tables.runWithKey(key);
    if (!run) return null;
    return sameOrConflict(run, isSame);
  }

  /** Of two requests with one key that come together, both find no run before; the tables take one, and the other is told of it. */
  async #admit(spec: RunSpec, isSame: (spec: RunSpec) => boolean): Promise<Answer<Run>> {
    const admitted = await this.#deps.scheduler.admit(spec);
    if (!admitted.ok || admitted.value.spec.id === spec.id) return admitted;
    return sameOrConflict(admitted.value, isSame);
  }
}

function sameOrConflict(run: Run, isSame: (spec: RunSpec) => boolean): Answer<Run> {
  const { spec } = run;
  if (isSame(spec)) return succeed(run);
  return fail({
    code: 'CONFLICT',
    message: `the Idempotency-Key already made run ${spec.id}, which asked for something else; use a new key`,
  });
}

function isSameInput(spec: RunSpec, inputSize: number, parameters: string | null): boolean {
  return spec.inputSize === inputSize && hasParameters(spec, parameters);
}

function largest(domains: readonly DomainView[]): DomainView | undefined {
  return domains.reduce<DomainView | undefined>(
    (best, domain) => (!best || domain.ways > best.ways ? domain : best),
    undefined,
  );
}

export function unknownTask(id: string): {
  readonly ok: false;
  readonly error: { code: 'NOT_FOUND'; message: string };
} {
  return fail({
    code: 'NOT_FOUND',
    message: `there is no task ${id}; upload it to /controller/task/new first`,
  });
}
