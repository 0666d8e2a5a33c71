/** The requests that run something: run, benchmark, submit. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { MAX_COMMAND_BYTES } from '../../../protocols/schema/fields.ts';
import { isTerminal } from '../../../protocols/schema/run.ts';
import type { ExecuteRequest } from '../../master/requests.ts';
import { ApiError, failureToError, unwrap } from '../errors.ts';
import {
  Accepted,
  BENCHMARKED,
  BenchmarkAnswer,
  BenchmarkBody,
  NOT_READY,
  RunAnswer,
  RunBody,
  type RunBodyJson,
  SubmitBody,
  SubmitQuery,
} from '../schemas/execution.ts';
import { masterErrors } from '../schemas/fields.ts';
import { presentResult, presentRunDetail, RunDetail } from '../schemas/runs.ts';
import { toSecrets } from '../schemas/secrets.ts';
import { presentBestTime } from '../schemas/tasks.ts';
import { type App, clientSignal, idempotencyKey, type RouteContext } from './context.ts';

/** What the schema can't say: bytes instead of characters, digits as a number. */
function toRequest(
  body: Omit<RunBodyJson, 'max_slowdown' | 'secrets'>,
  request: FastifyRequest,
): ExecuteRequest {
  if (Buffer.byteLength(body.command) > MAX_COMMAND_BYTES) {
    throw new ApiError('BAD_REQUEST', `"command" must be at most ${MAX_COMMAND_BYTES} bytes`);
  }
  const inputSize = Number(body.input_size);
  if (!Number.isSafeInteger(inputSize)) {
    const expected = `a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`;
    throw new ApiError('BAD_REQUEST', `"input_size" must be ${expected}`);
  }
  const limit = body.time_limit_seconds;
  return {
    taskId: body.task_id,
    command: body.command,
    inputSize,
    timeLimitMs: limit === undefined ? null : Math.ceil(limit * 1000),
    idempotencyKey: idempotencyKey(request),
  };
}

export function executionRoutes(app: App, context: RouteContext): void {
  const { backend } = context;
  const config = { repeatable: true, scope: 'submit' } as const;

  app.route({
    method: 'POST',
    url: '/controller/task/run',
    config,
    schema: {
      operationId: 'runTask',
      tags: ['execution'],
      summary: 'Run a task and wait for its result',
      description:
        'Runs a task that was benchmarked, or whose runs have told what cache it needs. A request that is repeated with the same Idempotency-Key header gets the same run. A program that fails is a result too: see `state`, `exit_status` and `error`.',
      body: RunBody,
      response: { 200: RunAnswer, ...masterErrors(400, 404, 409, 413, 415, 422, 429) },
    },
    handler: async (request, reply) => {
      const asked = {
        ...toRequest(request.body, request),
        maxSlowdown: request.body.max_slowdown ?? null,
        secrets: toSecrets(request.body.secrets),
      };
      const outcome = unwrap(await backend.run(asked, clientSignal(reply)));
      reply.header('fsched-mode', outcome.mode);
      if (!('view' in outcome)) return { message: NOT_READY };
      // A run is never made in mode INOP; the union of the contract is wider than what can come.
      const mode = outcome.mode === 'ASSISTED' ? 'ASSISTED' : 'BENCHMARKED';
      return { result: presentResult(outcome.view), mode } as const;
    },
  });

  app.route({
    method: 'POST',
    url: '/controller/task/benchmark',
    config,
    schema: {
      operationId: 'benchmarkTask',
      tags: ['execution'],
      summary: 'Benchmark a task',
      description:
        'Measures the task with as many way counts as it takes to know its curve, which makes it ready for execution. GET /runs?task_id= shows how far it is; a client that hangs up cancels it.',
      body: BenchmarkBody,
      response: { 200: BenchmarkAnswer, ...masterErrors(400, 404, 409, 413, 415, 422, 429) },
    },
    handler: async (request, reply) => {
      const profile = unwrap(
        await backend.benchmark(
          {
            ...toRequest(request.body, request),
            profiler: request.body.profiler ?? 'auto',
            executions: request.body.executions ?? null,
          },
          clientSignal(reply),
        ),
      );
      const exec_time = { input_size: profile.inputSize, time: presentBestTime(profile) };
      return { message: BENCHMARKED, exec_time };
    },
  });

  app.route({
    method: 'POST',
    url: '/submit',
    config,
    schema: {
      operationId: 'submit',
      tags: ['execution'],
      summary: 'Submit a function',
      description:
        'Runs the newest task with this function name. Answers once the run is committed, or, with `wait`, when it has ended. A request that is repeated with the same Idempotency-Key header gets the same run.',
      body: SubmitBody,
      querystring: SubmitQuery,
      response: { 200: RunDetail, 202: Accepted, ...masterErrors(400, 404, 413, 415, 429) },
    },
    handler: async (request, reply) => {
      const { function_name: functionName, parameters, max_slowdown: maxSlowdown = null } = request.body;
      checkNesting(parameters);
      const secrets = toSecrets(request.body.secrets);
      const key = idempotencyKey(request);
      const run = unwrap(
        await backend.submit({ functionName, parameters, secrets, maxSlowdown, idempotencyKey: key }),
      );
      const wait = request.query.wait ?? 0;
      const ended = wait > 0 ? await awaitEnd(run.spec.id, wait, request, reply) : null;
      if (ended !== null) return reply.code(200).send(ended);
      const status_url = `/runs/${encodeURIComponent(run.spec.id)}`;
      return reply
        .code(202)
        .header('location', status_url)
        .send({ run_id: run.spec.id, status_url, state: run.state });
    },
  });

  async function awaitEnd(id: string, seconds: number, request: FastifyRequest, reply: FastifyReply) {
    const answer = await backend.awaitRun(id, seconds * 1000, clientSignal(reply));
    if (answer.ok) return isTerminal(answer.value.run) ? presentRunDetail(answer.value) : null;
    // The member that forwarded this asks the next master, by the same key. Anyone else is better served with the
    // run's id than with a refusal: the run is committed.
    if (context.senderOf(request) !== null) throw failureToError(answer.error);
    return null;
  }
}

/** The program gets the parameters as text; what can't be written back is refused here. */
function checkNesting(parameters: unknown): void {
  try {
    JSON.stringify(parameters);
  } catch {
    throw new ApiError('BAD_REQUEST', '"parameters" is nested too deeply');
  }
}
