/** What any node answers by itself: health, metrics, the API's description and an index. */
import Type from 'typebox';
import { VERSION } from '../../version.ts';
import { localErrors, RawBody } from '../schemas/fields.ts';
import { HealthAnswer, Index, presentBriefly, presentHealth } from '../schemas/service.ts';
import type { App, RouteContext } from './context.ts';

const links = {
  openapi: '/openapi.json',
  health: '/healthz',
  metrics: '/metrics',
  cluster: '/cluster',
  workers: '/cluster/workers',
  tasks: '/tasks',
  runs: '/runs',
  model: '/predictor/model',
};

export function serviceRoutes(app: App, { backend, metrics }: RouteContext): void {
  const config = { local: true, scope: 'read' } as const;
  const forAnyone = { local: true, scope: 'anyone' } as const;

  app.route({
    method: 'GET',
    url: '/',
    config,
    schema: {
      operationId: 'getIndex',
      tags: ['node'],
      summary: 'Links',
      response: { 200: Index, ...localErrors() },
    },
    handler: async () => ({ name: 'fsched', version: VERSION, links }),
  });

  app.route({
    method: 'GET',
    url: '/healthz',
    config: forAnyone,
    exposeHeadRoute: true,
    schema: {
      operationId: 'getHealth',
      tags: ['node'],
      summary: "This node's own health",
      description:
        'Always answers 200 while the node is up, with or without a master. Strangers are told the `status` only.',
      response: { 200: HealthAnswer, ...localErrors() },
    },
    handler: async ({ principal }) =>
      principal === null ? presentBriefly(backend.localHealth()) : presentHealth(backend.localHealth()),
  });

  app.route({
    method: 'GET',
    url: '/metrics',
    config,
    schema: {
      operationId: 'getMetrics',
      tags: ['node'],
      summary: "This node's metrics for Prometheus",
      response: {
        200: RawBody('text/plain', 'Prometheus text format.', 'fsched_is_master 1\n'),
        ...localErrors(),
      },
    },
    handler: async (_request, reply) => reply.type(metrics.contentType).send(await metrics.scrape()),
  });

  app.route({
    method: 'GET',
    url: '/openapi.json',
    config: forAnyone,
    schema: {
      operationId: 'getOpenApi',
      tags: ['node'],
      summary: 'This document',
      response: {
        200: Type.Object(
          { openapi: Type.String() },
          { description: 'OpenAPI 3.1.', examples: [{ openapi: '3.1.0' }] },
        ),
        ...localErrors(),
      },
    },
    handler: async (_request, reply) => reply.send(app.swagger() as { openapi: string }),
  });
}
