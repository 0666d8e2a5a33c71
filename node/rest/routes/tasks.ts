/** Tasks: upload and look up. */
import { fastifyMultipart } from '@fastify/multipart';
import { ApiError } from '../errors.ts';
import { masterErrors } from '../schemas/fields.ts';
import {
  presentTask,
  presentTaskDetail,
  TaskDetail,
  TaskIdBody,
  TaskList,
  TaskParams,
  UploadForm,
} from '../schemas/tasks.ts';
import { receiveUpload } from '../upload.ts';
import type { App, RouteContext } from './context.ts';

export function taskRoutes(app: App, { backend, options }: RouteContext): void {
  // A scope of its own: only here is a body not JSON.
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    await scope.register(fastifyMultipart);
    // Left unread, so that the handler can say in its own words that it wants a form.
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
    scope.route({
      method: 'POST',
      url: '/controller/task/new',
      config: { scope: 'submit' },
      schema: {
        operationId: 'createTask',
        tags: ['tasks'],
        summary: 'Upload a task',
        description:
          'Streams a task file to the cluster. Answers once a majority of the voters has it on disk.',
        consumes: ['multipart/form-data'],
        body: UploadForm,
        response: { 200: TaskIdBody, ...masterErrors(400, 413, 507) },
      },
      // The schema is for the document; the form is checked as it streams.
      validatorCompiler: () => () => true,
      handler: async (request) => ({
        task_id: (await receiveUpload(request, backend, options.maxUploadBytes)).id,
      }),
    });
  });

  app.route({
    method: 'GET',
    url: '/tasks',
    config: { scope: 'read' },
    schema: {
      operationId: 'listTasks',
      tags: ['tasks'],
      summary: 'List tasks',
      response: { 200: TaskList, ...masterErrors() },
    },
    handler: async () => ({
      tasks: [...backend.tasks()].sort((a, b) => b.createdAtMs - a.createdAtMs).map(presentTask),
    }),
  });

  app.route({
    method: 'GET',
    url: '/tasks/:task_id',
    config: { scope: 'read' },
    schema: {
      operationId: 'getTask',
      tags: ['tasks'],
      summary: 'Show a task and its profiles',
      params: TaskParams,
      response: { 200: TaskDetail, ...masterErrors(400, 404) },
    },
    handler: async (request) => {
      const id = request.params.task_id;
      const found = backend.task(id);
      if (found === null) throw new ApiError('NOT_FOUND', `there is no task "${id}"; GET /tasks lists them`);
      return presentTaskDetail(found);
    },
  });
}
