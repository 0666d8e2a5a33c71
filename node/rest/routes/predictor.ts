/** The predictor: generosity, versions of the model, training, explanations. */
import type { Static } from 'typebox';
import type { ExplainRequest } from '../../master/requests.ts';
import { ApiError, unwrap } from '../errors.ts';
import { masterErrors } from '../schemas/fields.ts';
import {
  drawExplanation,
  ExplainQuery,
  ExplanationAnswer,
  Generosity,
  Model,
  presentExplanation,
  presentModel,
  SelectBody,
  Selected,
  TrainingBegun,
} from '../schemas/predictor.ts';
import type { App, RouteContext } from './context.ts';

const tags = ['predictor'];

export function predictorRoutes(app: App, { backend }: RouteContext): void {
  app.route({
    method: 'GET',
    url: '/scheduler/generosity',
    config: { scope: 'read' },
    schema: {
      operationId: 'getGenerosity',
      tags,
      summary: 'Show the generosity',
      response: { 200: Generosity, ...masterErrors() },
    },
    handler: async () => ({ generosity: backend.generosity() }),
  });

  app.route({
    method: 'GET',
    url: '/predictor/model',
    config: { scope: 'read' },
    schema: {
      operationId: 'getModel',
      tags,
      summary: 'Show the predictor in use',
      description: 'Its version and scores, the versions that can be selected, and which node holds which.',
      response: { 200: Model, ...masterErrors() },
    },
    handler: async () => presentModel(backend.predictor()),
  });

  app.route({
    method: 'POST',
    url: '/predictor/model/select',
    config: {
      scope: 'operate',
      subject: ({ body }) => `version ${(body as Static<typeof SelectBody>).version}`,
    },
    schema: {
      operationId: 'selectModel',
      tags,
      summary: 'Go back or forth to a version of the model',
      body: SelectBody,
      response: { 200: Selected, ...masterErrors(400, 404, 413, 415) },
    },
    handler: async ({ body: { version } }) => {
      unwrap(await backend.selectModel(version));
      return { message: `version ${version} is the current one; the nodes load it now`, current: version };
    },
  });

  app.route({
    method: 'POST',
    url: '/predictor/model/train',
    config: { scope: 'operate', subject: () => 'the model' },
    schema: {
      operationId: 'trainModel',
      tags,
      summary: 'Train the model on what was measured',
      description:
        'Answers when the training has begun. What comes of it replaces the current version only if it is better on tasks that were held out.',
      response: { 202: TrainingBegun, ...masterErrors(409) },
    },
    handler: async (_request, reply) => {
      const { tasks, points } = unwrap(await backend.trainModel());
      const message = `training on ${points} points of ${tasks} tasks has begun; GET /predictor/model tells what comes of it`;
      return reply.code(202).send({ message, tasks, points });
    },
  });

  app.route({
    method: 'GET',
    url: '/predictor/explain',
    config: { scope: 'read' },
    schema: {
      operationId: 'explainPrediction',
      tags,
      summary: 'Explain how many ways a run would get',
      description:
        'The measured points, the predicted curve with its band, and the choice; with format=svg as a picture (image/svg+xml).',
      querystring: ExplainQuery,
      response: { 200: ExplanationAnswer, ...masterErrors(400, 404) },
    },
    handler: async ({ query }, reply) => {
      const explained = unwrap(
        await backend.explain({
          task: whichTask(query),
          inputSize: query.input_size,
          maxSlowdown: query.max_slowdown ?? null,
        }),
      );
      if (query.format !== 'svg') return presentExplanation(explained);
      // Opened by itself, a picture is a document: it may load and run nothing.
      reply.headers({
        'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
        'x-content-type-options': 'nosniff',
      });
      reply.type('image/svg+xml; charset=utf-8').serializer((picture: string) => picture);
      return reply.send(drawExplanation(explained));
    },
  });
}

function whichTask(query: { readonly task_id?: string; readonly function?: string }): ExplainRequest['task'] {
  const { task_id: id, function: name } = query;
  if (id !== undefined && name === undefined) return { id };
  if (name !== undefined && id === undefined) return { name };
  throw new ApiError('BAD_REQUEST', 'give either task_id or function in the query');
}
