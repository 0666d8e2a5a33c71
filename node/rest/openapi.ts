/** The OpenAPI document: generated from the schemas that validate, so that the two can't drift apart. */
import { fastifySwagger } from '@fastify/swagger';
import type { RouteScope } from './principal.ts';
import type { App } from './routes/context.ts';

export function registerOpenApi(app: App, version: string): void {
  app.register(fastifySwagger, {
    transform: ({ schema, url, route }) => ({
      url,
      schema: { ...schema, ...describeScope(route.config?.scope) },
    }),
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'fsched',
        version,
        description:
          'Decentralised Function-as-a-Service scheduler. Every node serves this API; one that is not master forwards to the master. Errors are {"message", "code"}.',
        license: { name: 'GPL-3.0-only', identifier: 'GPL-3.0-only' },
      },
      tags: [
        { name: 'tasks', description: 'Uploaded programs and their profiles.' },
        { name: 'execution', description: 'Run, benchmark and submit.' },
        { name: 'runs', description: 'Executions and their output.' },
        { name: 'cluster', description: 'Members, capacity and health.' },
        { name: 'predictor', description: 'How much cache a run is granted.' },
        { name: 'access', description: 'Tokens, and who did what.' },
        { name: 'node', description: 'What any node answers by itself.' },
      ],
      components: {
        securitySchemes: {
          token: {
            type: 'http',
            scheme: 'bearer',
            description:
              'Not asked for on loopback of root, or of the user of the node where programs run as others.',
          },
        },
      },
      security: [{ token: [] }],
    },
  });
}

function describeScope(scope: RouteScope = 'read') {
  return scope === 'anyone' ? { security: [] } : { 'x-scope': scope };
}
