import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EXIT } from '../../../cli/exit-codes.ts';
import { explainStartFailure } from '../../../cli/start-failure.ts';
import { defaultsOf, readHost } from '../../../node/config/config.ts';

const failing = (message: string, fields: object, options?: ErrorOptions) =>
  Object.assign(new Error(message, options), fields);
const explain = (error: unknown) =>
  explainStartFailure(error, { ...defaultsOf({}, readHost()), dataDir: '/data' });

describe('explainStartFailure', () => {
  test('tells which address is in use, however deep the reason lies', () => {
    const inUse = failing('listen EADDRINUSE', { code: 'EADDRINUSE' });
    const rest = explain(failing('x', { code: 'LISTEN_FAILED' }, { cause: inUse }));
    assert.equal(rest.exitCode, EXIT.ADDRESS_IN_USE);
    assert.match(rest.message, /127\.0\.0\.1:8200 is in use.* --rest/);
    const mesh = explain(failing('x', { code: 'LISTEN' }, { cause: new AggregateError([inUse]) }));
    assert.match(mesh.message, /tcp\/8300 is in use.* --listen/);
    assert.equal(explain(new Error('listen EADDRINUSE: in use')).exitCode, EXIT.ADDRESS_IN_USE);
  });

  test('tells that another node holds the data directory', () => {
    const locked = failing(
      'not open',
      { code: 'LEVEL_DATABASE_NOT_OPEN' },
      { cause: failing('x', { code: 'LEVEL_LOCKED' }) },
    );
    const explained = explain(locked);
    assert.equal(explained.exitCode, EXIT.DATA_DIR_IN_USE);
    assert.match(explained.message, /\/data is in use by another node/);
  });

  test('tells what there is no permission for', () => {
    const explained = explain(failing('EACCES', { code: 'EACCES', path: '/data/x' }));
    assert.equal(explained.exitCode, EXIT.NO_PERMISSION);
    assert.match(explained.message, /\/data\/x.*--data-dir/);
    const port = failing('x', { code: 'LISTEN_FAILED' }, { cause: failing('EACCES', { code: 'EACCES' }) });
    assert.match(explain(port).message, /^no permission to listen on 127.*--rest/);
    assert.equal(explain(new Error('IO error: LOCK: Permission denied')).exitCode, EXIT.NO_PERMISSION);
  });

  test('passes anything else on', () => {
    const explained = explain(new Error('no cluster'));
    assert.equal(explained.exitCode, EXIT.START_FAILED);
    assert.match(explained.message, /no cluster/);
  });
});
