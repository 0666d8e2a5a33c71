import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RunRequest } from '../../../node/master/requests.ts';
import { specOf } from '../../builders/nouns.ts';
import { aRun, aTask } from './fake-backend.ts';
import { type Rest, startRest } from './harness.ts';

const RUN = { command: 'python3', task_id: 't1', input_size: 1 };
const SUBMIT = { function_name: 'f' };
const b64 = (value: string | Uint8Array): string => Buffer.from(value).toString('base64');
const KiB64 = new Uint8Array(64 * 1024);

type Way = readonly [
  what: string,
  send: (secrets: unknown) => ReturnType<Rest['call']>,
  given: () => unknown,
];

/** Each with what the backend was given last. */
const waysIn = ({ backend, call, form }: Rest): readonly Way[] => [
  [
    'run',
    (secrets) => call('POST', '/controller/task/run', { ...RUN, secrets }),
    () => (backend.runRequests.at(-1) as RunRequest).secrets,
  ],
  [
    'submit',
    (secrets) => call('POST', '/submit', { ...SUBMIT, secrets }),
    () => backend.submissions.at(-1)?.secrets,
  ],
  [
    'upload',
    (secrets) => {
      const data = new FormData();
      data.set('file', new Blob(['x']), 'a.py');
      data.set('secrets', JSON.stringify(secrets));
      return form(data);
    },
    () => backend.uploads.at(-1)?.secrets,
  ],
];

describe('secrets', () => {
  test('are bytes by name, in the order of their names', async () => {
    await using rest = await startRest();
    for (const [what, send, given] of waysIn(rest)) {
      const binary = Uint8Array.of(0, 255, 10);
      const reply = await send({ b: b64(binary), A: b64('x'), __proto: '', _: b64(KiB64) });
      assert.ok(reply.status < 300, `${what}: ${reply.text}`);
      assert.deepEqual(
        given(),
        [
          { name: 'A', value: Uint8Array.of(120) },
          { name: '_', value: KiB64 },
          { name: '__proto', value: new Uint8Array() },
          { name: 'b', value: binary },
        ],
        what,
      );
    }
  });

  test('that are wrong are refused by their name, and what they hold is not repeated', async () => {
    await using rest = await startRest();
    const many = Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`S${at}`, '']));
    const much = Object.fromEntries(Array.from({ length: 5 }, (_, at) => [`S${at}`, b64(KiB64)]));
    for (const [secrets, status, expected] of [
      [['hunter2'], 400, /secrets"? must be/],
      [{ PASSWORD: 7 }, 400, /secrets"? must be/],
      [{ PASSWORD: 'hunter2' }, 400, /the secret PASSWORD must be in base64/],
      [{ '../x': 'aHVudGVyMg==' }, 400, /"\.\.\/x" is no name of a secret/],
      [{ '': '' }, 400, /"" is no name/],
      [{ ['x'.repeat(65)]: '' }, 400, /is no name/],
      [{ 'A\n': '' }, 400, /"A\\n" is no name/],
      [
        { PASSWORD: b64(new Uint8Array(64 * 1024 + 1)) },
        413,
        /the secret PASSWORD is larger than 65536 bytes/,
      ],
      [many, 400, /33 secrets: at most 32/],
      [much, 413, /327680 bytes together: at most 262144/],
    ] as const) {
      for (const [what, send] of waysIn(rest)) {
        const reply = await send(secrets);
        assert.equal(reply.status, status, `${what}: ${reply.text}`);
        assert.match(String(reply.json.message), expected);
        assert.doesNotMatch(reply.text, /hunter2|aHVudGVyMg/);
      }
    }
    const form = new FormData();
    form.set('file', new Blob(['x']), 'a.py');
    form.set('secrets', '{"PASSWORD": hunter2}');
    const broken = await rest.form(form);
    assert.match(String(broken.json.message), /^the form field "secrets" must be JSON/);
  });

  test('as many as there may be fit into a body and a form', async () => {
    await using rest = await startRest();
    const most = Object.fromEntries(
      Array.from({ length: 32 }, (_, at) => [`S${at}`.padEnd(64, 'x'), b64(new Uint8Array(8192))]),
    );
    for (const [what, send] of waysIn(rest)) assert.ok((await send(most)).status < 300, what);
  });

  test('are shown by their names only', async () => {
    const secrets = [{ name: 'PASSWORD', size: 7, sealed: { keyId: 'e'.repeat(32), box: 'c2VhbGVk' } }];
    await using rest = await startRest();
    rest.backend.tables.tasks.splice(0, 2, { ...aTask('t1'), secrets });
    const run = aRun('r1', { spec: specOf({ id: 'r1', secrets }) });
    rest.backend.tables.runs.clear();
    rest.backend.tables.runs.set('r1', { run, stdout: 'out', stderr: '' });
    for (const path of ['/tasks', '/tasks/t1', '/runs', '/runs/r1']) {
      const { text } = await rest.call('GET', path);
      assert.match(text, /"secrets":\["PASSWORD"\]/, path);
      assert.doesNotMatch(text, /c2VhbGVk|eeee|"size":7/, path);
    }
  });
});
