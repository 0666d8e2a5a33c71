/** Runs as clients ask for them: predicted, admitted, awaited. */

import { MAX_PARAMETERS_BYTES } from '../../protocols/schema/fields.ts';
import { type Answer, fail, succeed } from '../../protocols/schema/outcome.ts';
import type { Mode, Run, RunChoice, RunSpec } from '../../protocols/schema/run.ts';
import type { Secret } from '../../protocols/schema/secret.ts';
import type { Task } from '../../protocols/schema/task.ts';
import type { Clock, Random } from '../ports.ts';
import { hasParameters, hasSecrets } from '../state/inputs.ts';
import type { Tables } from '../state/tables.ts';
import type { ExecuteRequest, RunRequest, SubmitRequest } from './requests.ts';
import type { Scheduler } from './scheduler.ts';
import { inputSizeOf } from './submission.ts';
import type { Vault } from './vault.ts';
import { recordedChoice, type WayPlan, type WayPlanner } from './way-planner.ts';

export interface RunServiceOptions {
  readonly timeLimitMs: number;
}

export interface RunServiceDependencies {
  readonly tables: Tables;
  readonly scheduler: Pick<Scheduler, 'admit'>;
  readonly planner: Pick<WayPlanner, 'plan'>;
  readonly vault: Pick<Vault, 'seal'>;
  readonly clock: Clock;
  readonly random: Random;
}

type SpecOf = Pick<RunSpec, 'command' | 'inputSize' | 'parameters' | 'idempotencyKey'> & {
  readonly timeLimitMs: number | null;
};

/** What it is given of the cache, and why. */
interface Share {
  readonly mode: Mode;
  readonly ways: number;
  readonly choice: RunChoice | null;
  /** As of `RunSpec`. */
  readonly sensitive: boolean;
}

const share = (plan: WayPlan): Share => ({
  mode: plan.mode,
  ways: plan.ways,
  choice: recordedChoice(plan),
  sensitive: plan.sensitive,
});

/** How one run of a benchmark differs from any other. `ways` are reserved. */
export type MeasurePlan = Pick<RunSpec, 'ways' | 'measure' | 'pinnedTo' | 'timeLimitMs'>;

export class RunService {
  readonly #options: RunServiceOptions;
  readonly #deps: RunServiceDependencies;

  constructor(options: RunServiceOptions, dependencies: RunServiceDependencies) {
    this.#options = options;
    this.#deps = dependencies;
  }

  /** Null: nothing is known of the cache that the task needs, nothing is run. */
  async run(request: RunRequest): Promise<Answer<Run | null>> {
    const task = this.#deps.tables.task(request.taskId);
    if (!task) return unknownTask(request.taskId);
    const refused = refuseCommand(task, request.command);
    if (refused) return refused;
    const isSame = (spec: RunSpec) =>
      spec.taskId === task.id &&
      spec.command === request.command &&
      isSameInput(spec, { ...request, parameters: null });
    const repeated = this.#repeated(request.idempotencyKey, isSame);
    if (repeated) return repeated;
    const plan = this.#deps.planner.plan(task, request);
    if (plan.mode === 'INOP') return succeed(null);
    const spec = this.#spec(task, { ...request, parameters: null }, share(plan));
    return this.#admit(spec, request.secrets, isSame);
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
      tables.task(spec.taskId)?.name === request.functionName &&
      isSameInput(spec, { inputSize, parameters, secrets: request.secrets });
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
    const plan = this.#deps.planner.plan(task, {
      command,
      inputSize,
      maxSlowdown: request.maxSlowdown,
    });
    const spec = {
      command,
      inputSize,
      parameters,
      timeLimitMs: null,
      idempotencyKey: request.idempotencyKey,
    };
    return this.#admit(this.#spec(task, spec, share(plan)), request.secrets, isSame);
  }

  /** One measurement of a benchmark. */
  measure(request: ExecuteRequest, plan: MeasurePlan): Promise<Answer<Run>> {
    const task = this.#deps.tables.task(request.taskId);
    if (!task) return Promise.resolve(unknownTask(request.taskId));
    const refused = refuseCommand(task, request.command);
    if (refused) return Promise.resolve(refused);
    const spec = this.#spec(
      task,
      { ...request, parameters: null, idempotencyKey: null },
      { mode: 'INOP', ways: plan.ways, choice: null, sensitive: true },
    );
    return this.#deps.scheduler.admit({ ...spec, ...plan, purpose: 'benchmark' });
  }

  #spec(task: Task, request: SpecOf, share: Share): RunSpec {
    return {
      id: this.#deps.random.id(),
      taskId: task.id,
      command: request.command,
      inputSize: request.inputSize,
      parameters: request.parameters,
      droppedParameters: null,
      secrets: [],
      purpose: 'run',
      ...share,
      pinnedTo: null,
      measure: null,
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

  /**
   * Of two requests with one key that come together, both find no run before; the tables take one, and the other is
   * told of it.
   */
  async #admit(
    spec: RunSpec,
    secrets: readonly Secret[],
    isSame: (spec: RunSpec) => boolean,
  ): Promise<Answer<Run>> {
    const sealed = await this.#deps.vault.seal(`run ${spec.id}`, secrets);
    if (!sealed.ok) return sealed;
    const admitted = await this.#deps.scheduler.admit({ ...spec, secrets: sealed.value });
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

/** Whoever may run a task could else have its secrets printed by another program than the one that they are for. */
function refuseCommand({ id, command, secrets }: Task, asked: string): Answer<never> | null {
  if (secrets.length === 0 || command === asked) return null;
  return fail({
    code: 'UNPROCESSABLE',
    message: `task ${id} has secrets, which are for its own command only (${command}): give that one, or upload the file again with another`,
  });
}

interface Input {
  readonly inputSize: number;
  readonly parameters: string | null;
  readonly secrets: readonly Secret[];
}

const isSameInput = (spec: RunSpec, { inputSize, parameters, secrets }: Input): boolean =>
  spec.inputSize === inputSize && hasParameters(spec, parameters) && hasSecrets(spec, secrets);

export function unknownTask(id: string): {
  readonly ok: false;
  readonly error: { code: 'NOT_FOUND'; message: string };
} {
  return fail({
    code: 'NOT_FOUND',
    message: `there is no task ${id}; upload it to /controller/task/new first`,
  });
}
