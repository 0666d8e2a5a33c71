import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Check } from 'typebox/schema';
import { VERSION } from '../../../node/version.ts';
import { tokenId } from '../../../protocols/proof/token-keys.ts';
import { type Rest, startRest } from './harness.ts';
import { SCOPE_OF } from './routes.ts';

interface Media {
  readonly schema?: object;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}
interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly security?: readonly object[];
  readonly 'x-scope'?: string;
  readonly parameters?: readonly { name: string; in: string; required?: boolean; schema?: object }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<
    Record<string, { readonly description?: string; readonly content?: Readonly<Record<string, Media>> }>
  >;
}
interface Document {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly tags: readonly { readonly name: string }[];
}

const load = async (rest: Rest) => (await rest.call('GET', '/openapi.json')).json as unknown as Document;
const operations = (document: Document) =>
  Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );

const routes = Object.keys(SCOPE_OF);

test('the document covers every route', async () => {
  await using rest = await startRest();
  const document = await load(rest);
  const documented = operations(document).map(({ method, path }) => `${method} ${path}`);
  assert.deepEqual(
    documented.sort(),
    routes.filter((route) => route !== 'HEAD /healthz'),
  );
  for (const route of routes) {
    const [method, path] = route.split(' ') as [string, string];
    const reply = await rest.call(method, path.replaceAll(/\{\w+\}/g, 'x'));
    assert.notEqual(reply.status, 405, route);
    if (reply.status === 404) assert.doesNotMatch(reply.text, /there is nothing at/, route);
  }
});

test('the document is a well-formed OpenAPI 3.1 document', async () => {
  await using rest = await startRest();
  const document = await load(rest);
  assert.match(document.openapi, /^3\.1\.\d+$/);
  assert.deepEqual([document.info.title, document.info.version], ['fsched', VERSION]);
  const tags = new Set(document.tags.map((tag) => tag.name));
  const ids = new Set<string>();
  for (const { path, method, operation } of operations(document)) {
    const where = `${method} ${path}`;
    assert.match(operation.operationId ?? '', /^[a-z][A-Za-z]+$/, where);
    assert.ok(!ids.has(operation.operationId as string), `${where}: operation id twice`);
    ids.add(operation.operationId as string);
    assert.ok(operation.summary, where);
    assert.ok(operation.tags?.every((tag) => tags.has(tag)) && operation.tags.length > 0, where);
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
    const parameters = operation.parameters ?? [];
    assert.deepEqual(
      parameters.filter((parameter) => parameter.in === 'path').map((parameter) => parameter.name),
      inPath,
    );
    for (const parameter of parameters) {
      assert.ok(['path', 'query', 'header'].includes(parameter.in), where);
      const isNeeded =
        parameter.in === 'path' || `${where} ${parameter.name}` === 'GET /predictor/explain input_size';
      assert.equal(parameter.required === true, isNeeded, `${where} ${parameter.name}`);
      assert.ok(parameter.schema, where);
    }
    for (const [status, response] of Object.entries(operation.responses)) {
      assert.match(status, /^[1-5]\d\d$/, where);
      assert.ok(response.description && response.description !== 'Default Response', `${where} ${status}`);
      if (Number(status) >= 400) assert.ok(response.content?.['application/json'], `${where} ${status}`);
    }
    assert.ok('401' in operation.responses && '500' in operation.responses, where);
    assert.ok(!JSON.stringify(operation).includes('"$ref"'), `${where}: dangling reference`);
  }
});

test('every example in the document fits its schema', async () => {
  await using rest = await startRest();
  let checked = 0;
  for (const { path, method, operation } of operations(await load(rest))) {
    const media = [operation.requestBody, ...Object.values(operation.responses)].flatMap((holder) =>
      Object.values(holder?.content ?? {}),
    );
    for (const { schema, example, examples } of media) {
      const values = [
        ...(example === undefined ? [] : [example]),
        ...Object.values(examples ?? {}).map((item) => item.value),
      ];
      if (operation.operationId !== 'createTask')
        assert.ok(values.length > 0, `${method} ${path}: no example`);
      for (const value of values) {
        assert.ok(Check(schema as object, value), `${method} ${path}: ${JSON.stringify(value)}`);
        checked += 1;
      }
    }
  }
  assert.ok(checked > 100, String(checked));
});

test('what the server answers fits what the document promises', async () => {
  await using rest = await startRest();
  const document = await load(rest);
  const run = { command: 'x', task_id: 't1', input_size: 1 };
  const calls: readonly [string, string, string, unknown?][] = [
    ['GET', '/', '/'],
    ['GET', '/healthz', '/healthz'],
    ['GET', '/cluster', '/cluster'],
    ['GET', '/cluster/workers', '/cluster/workers'],
    ['GET', '/cluster/worker/list', '/cluster/worker/list'],
    ['DELETE', '/cluster/workers/{id}', '/cluster/workers/x'],
    ['POST', '/predictor/model/select', '/predictor/model/select', { version: 0 }],
    ['POST', '/predictor/model/train', '/predictor/model/train'],
    ['GET', '/predictor/explain', '/predictor/explain?task_id=t1&input_size=5'],
    ['GET', '/tasks', '/tasks'],
    ['GET', '/tasks/{task_id}', '/tasks/t1'],
    ['GET', '/tasks/{task_id}', '/tasks/none'],
    ['GET', '/runs', '/runs'],
    ['GET', '/runs/{run_id}', '/runs/r1'],
    ['GET', '/runs/{run_id}', '/runs/q1'],
    ['DELETE', '/runs/{run_id}', '/runs/q1'],
    ['DELETE', '/runs/{run_id}', '/runs/r1'],
    ['GET', '/predictor/model', '/predictor/model'],
    ['GET', '/scheduler/generosity', '/scheduler/generosity'],
    ['POST', '/controller/task/run', '/controller/task/run', run],
    ['POST', '/controller/task/run', '/controller/task/run', {}],
    ['POST', '/controller/task/benchmark', '/controller/task/benchmark', run],
    ['POST', '/submit', '/submit', { function_name: 'f' }],
    ['POST', '/submit', '/submit?wait=1', { function_name: 'f' }],
    ['POST', '/cluster/worker/add', '/cluster/worker/add', { host: 'x' }],
    ['GET', '/tokens', '/tokens'],
    ['POST', '/tokens', '/tokens', { kind: 'api' }],
    ['POST', '/tokens', '/tokens', { kind: 'join', uses: null, ttl_seconds: null }],
    ['POST', '/tokens/{id}/rotate', `/tokens/${tokenId('a token of a person')}/rotate`],
    ['DELETE', '/tokens/{id}', `/tokens/${tokenId('a token to join by')}`],
    ['GET', '/audit', '/audit?limit=5&since=2025-01-31T12:00:00Z'],
  ];
  for (const [method, path, url, input] of calls) {
    const reply = await rest.call(method, url, input);
    const operation = document.paths[path]?.[method.toLowerCase()];
    const schema = operation?.responses[reply.status]?.content?.['application/json']?.schema;
    assert.ok(schema, `${method} ${url}: ${reply.status} is not documented`);
    assert.ok(Check(schema, reply.json), `${method} ${url}: ${reply.text}`);
  }
});

test('the document says which scope each route needs, and which need no token', async () => {
  await using rest = await startRest();
  const { json } = await rest.call('GET', '/openapi.json');
  assert.deepEqual(json.security, [{ token: [] }]);
  for (const { path, method, operation } of operations(json as unknown as Document)) {
    const scope = SCOPE_OF[`${method} ${path}`];
    const where = `${method} ${path}`;
    if (scope === 'anyone') assert.deepEqual(operation.security, [], where);
    else assert.equal(operation['x-scope'], scope, where);
  }
});
