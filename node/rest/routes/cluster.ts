/** The cluster: its workers and its state. */
import type { Static } from 'typebox';
import { unwrap } from '../errors.ts';
import {
  Cluster,
  presentCluster,
  presentWorker,
  REMOVED,
  RemovedBody,
  WorkerBody,
  WorkerList,
  WorkerMap,
  WorkerParams,
} from '../schemas/cluster.ts';
import { MessageBody, masterErrors } from '../schemas/fields.ts';
import type { App, RouteContext } from './context.ts';

const ADDED = 'worker node successfully added';

export function clusterRoutes(app: App, context: RouteContext): void {
  workerRoutes(app, context);
  const { backend } = context;

  app.route({
    method: 'GET',
    url: '/cluster',
    config: { scope: 'read' },
    schema: {
      operationId: 'getCluster',
      tags: ['cluster'],
      summary: 'Show the cluster',
      response: { 200: Cluster, ...masterErrors() },
    },
    handler: async () => presentCluster(backend.cluster()),
  });
}

function workerRoutes(app: App, { backend }: RouteContext): void {
  app.route({
    method: 'POST',
    url: '/cluster/worker/add',
    config: { scope: 'admin', subject: ({ body }) => (body as Static<typeof WorkerBody>).host },
    schema: {
      operationId: 'addWorker',
      tags: ['cluster'],
      summary: 'Invite a node into the cluster',
      description:
        'Whatever else than a node with the same join token is at the address, or nothing, gets one answer: 500.',
      body: WorkerBody,
      response: {
        200: MessageBody('The node is a member now.', ADDED),
        ...masterErrors(400, 409, 413, 415),
      },
    },
    handler: async ({ body }) => {
      unwrap(await backend.addWorker(body.host));
      return { message: ADDED };
    },
  });

  app.route({
    method: 'GET',
    url: '/cluster/workers',
    config: { scope: 'read' },
    schema: {
      operationId: 'listWorkers',
      tags: ['cluster'],
      summary: 'List the workers',
      response: { 200: WorkerList, ...masterErrors() },
    },
    handler: async () => ({
      workers: backend.cluster().members.map(({ member, host }) => ({ id: member.id, host })),
    }),
  });

  app.route({
    method: 'GET',
    url: '/cluster/worker/list',
    config: { scope: 'read' },
    schema: {
      operationId: 'listWorkerInformation',
      tags: ['cluster'],
      summary: 'System information of the workers by id',
      response: { 200: WorkerMap, ...masterErrors() },
    },
    handler: async () =>
      Object.fromEntries(backend.cluster().members.map((view) => [view.member.id, presentWorker(view)])),
  });

  app.route({
    method: 'DELETE',
    url: '/cluster/workers/:id',
    config: { scope: 'admin', subject: ({ params }) => (params as Static<typeof WorkerParams>).id },
    schema: {
      operationId: 'removeWorker',
      tags: ['cluster'],
      summary: 'Remove a member from the cluster',
      params: WorkerParams,
      response: {
        200: RemovedBody,
        ...masterErrors(400, 404, 409),
      },
    },
    handler: async ({ params }) => {
      const { revokedTokens } = unwrap(await backend.removeWorker(params.id));
      return { message: REMOVED, revoked_tokens: [...revokedTokens] };
    },
  });
}
