/** Runs: list, show, output, cancel. */
import { pipeline } from 'node:stream';
import { ApiError, unwrap } from '../errors.ts';
import { masterErrors, RawBody } from '../schemas/fields.ts';
import {
  OutputQuery,
  presentRun,
  presentRunDetail,
  RunDetail,
  RunList,
  RunParams,
  RunQuery,
} from '../schemas/runs.ts';
import { type App, clientSignal, type RouteContext } from './context.ts';

const unknownRun = (id: string) => new ApiError('NOT_FOUND', `there is no run "${id}"; GET /runs lists them`);

export function runRoutes(app: App, { backend }: RouteContext): void {
  app.route({
    method: 'GET',
    url: '/runs',
    config: { scope: 'read' },
    schema: {
      operationId: 'listRuns',
      tags: ['runs'],
      summary: 'List runs',
      querystring: RunQuery,
      response: { 200: RunList, ...masterErrors(400) },
    },
    handler: async ({ query }) => {
      const filter = { state: query.state ?? null, taskId: query.task_id ?? null, limit: query.limit ?? 100 };
      return { runs: backend.runs(filter).map(presentRun) };
    },
  });

  app.route({
    method: 'GET',
    url: '/runs/:run_id',
    config: { scope: 'read' },
    schema: {
      operationId: 'getRun',
      tags: ['runs'],
      summary: 'Show a run',
      params: RunParams,
      response: { 200: RunDetail, ...masterErrors(400, 404) },
    },
    handler: async ({ params }) => {
      const view = await backend.runView(params.run_id);
      if (view === null) throw unknownRun(params.run_id);
      return presentRunDetail(view);
    },
  });

  app.route({
    method: 'DELETE',
    url: '/runs/:run_id',
    config: { scope: 'submit' },
    schema: {
      operationId: 'cancelRun',
      tags: ['runs'],
      summary: 'Cancel a run',
      description: 'A run that waits is taken from the queue; one that runs is killed.',
      params: RunParams,
      response: { 200: RunDetail, ...masterErrors(400, 404, 409) },
    },
    handler: async ({ params }) => {
      const run = unwrap(await backend.cancelRun(params.run_id));
      return presentRunDetail((await backend.runView(params.run_id)) ?? { run, stdout: null, stderr: null });
    },
  });

  app.route({
    method: 'GET',
    url: '/runs/:run_id/output',
    config: { scope: 'read' },
    schema: {
      operationId: 'getRunOutput',
      tags: ['runs'],
      summary: 'The output of a run',
      description:
        'The bytes of one stream so far; with follow=true also those to come, until the run is over.',
      params: RunParams,
      querystring: OutputQuery,
      response: {
        200: RawBody('application/octet-stream', 'The bytes as the program wrote them.', 'sorted\n'),
        ...masterErrors(400, 404),
      },
    },
    handler: async ({ params, query }, reply) => {
      const { stream = 'stdout', follow = false } = query;
      const content = unwrap(
        await backend.output(params.run_id, stream, { follow, signal: clientSignal(reply) }),
      );
      // Written by hand, because the headers must go before the first byte of a program that is still silent.
      reply.hijack();
      reply.raw.writeHead(200, {
        'content-type': 'application/octet-stream',
        'x-content-type-options': 'nosniff',
      });
      reply.raw.flushHeaders();
      pipeline(content, reply.raw, () => {});
    },
  });
}
