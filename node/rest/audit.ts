/** What is done by `operate` and `admin` is told to the audit trail, before it is done. */
import type { RouteOptions } from 'fastify';
import { printable } from '../../protocols/schema/text.ts';
import { MAX_SUBJECT } from '../../protocols/schema/token.ts';
import { unwrap } from './errors.ts';
import type { App, RouteContext } from './routes/context.ts';

/** What a route forgets to ask for, everybody may; and what it forgets to tell, nobody learns. */
export function checkConfig({ method, url, config: { scope, subject } = {} }: RouteOptions): void {
  if (scope === undefined) throw new Error(`${method} ${url} does not say what scope it needs`);
  const isTold = (scope === 'operate' || scope === 'admin') && method !== 'GET';
  if (isTold !== (subject !== undefined))
    throw new Error(`${method} ${url} says ${isTold ? 'nothing' : 'something'} to the audit trail`);
}

/** At the master, when all that was asked for is checked: what can't be recorded is refused. */
export function recordDeeds(
  app: App,
  { backend, senderOf }: Pick<RouteContext, 'backend' | 'senderOf'>,
): void {
  app.addHook('preHandler', async (request) => {
    const { principal, routeOptions } = request;
    const subject = routeOptions.config.subject?.(request);
    if (subject === undefined || principal === null) return;
    const { who, tokenId } = principal;
    const deed = {
      who,
      tokenId,
      node: senderOf(request) ?? backend.localHealth().id,
      action: `${request.method} ${routeOptions.url}`,
      subject: printable(subject).slice(0, MAX_SUBJECT) || 'nothing',
    };
    unwrap(await backend.record(deed));
  });
}
