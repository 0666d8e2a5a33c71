import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { Authority, type CertificateWishes, noCertificates } from '../../support/certificates.ts';
import { health, model } from './fixtures.ts';
import { Bundle, FakeNode } from './run-cli.ts';

describe('the CLI by https', { skip: noCertificates }, () => {
  let bundle: Bundle;
  let authority: Authority;
  before(() => {
    bundle = new Bundle();
    authority = new Authority();
  });
  after(() => {
    bundle[Symbol.dispose]();
    authority[Symbol.dispose]();
  });

  /** What `fsched model` says to a server with such a certificate. */
  async function ask(wishes: CertificateWishes, args: readonly string[], environment = {}) {
    const { certFile, keyFile } = authority.issue(wishes);
    const server = createServer(
      { cert: readFileSync(certFile), key: readFileSync(keyFile) },
      (_request, response) => response.end(JSON.stringify(model)),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
      return await bundle.run(['model', '--api', url, ...args], environment);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  test('believes whom --ca-file or FSCHED_CA_FILE vouches for', async () => {
    const flag = await ask({}, ['--ca-file', authority.caFile]);
    assert.deepEqual([flag.exitCode, flag.stderr], [0, '']);
    assert.equal((await ask({}, [], { FSCHED_CA_FILE: authority.caFile })).exitCode, 0);
  });

  for (const [what, wishes, trusting, sentence] of [
    ['nobody trusted vouches for', {}, false, /nobody whom this machine trusts .*--ca-file FILE/],
    ['has expired', { days: -1 }, true, /has expired: renew it/],
    ['is for another name', { names: 'DNS:other.example' }, true, /is for another name than 127\.0\.0\.1/],
  ] as const) {
    test(`refuses a certificate that ${what}, in a sentence`, async () => {
      const { exitCode, stdout, stderr } = await ask(wishes, trusting ? ['--ca-file', authority.caFile] : []);
      assert.equal(exitCode, 3);
      assert.equal(stdout, '');
      assert.match(stderr, sentence);
    });
  }

  test('says when http and https were mistaken for each other', async () => {
    await using plain = await FakeNode.start({ 'GET /healthz': [200, health] });
    const { exitCode, stderr } = await bundle.run(['model', '--api', plain.url.replace('http', 'https')]);
    assert.equal(exitCode, 3);
    assert.match(stderr, /is it http:\/\/ there\?/);
  });

  test('refuses a file that holds no certificate', async () => {
    for (const [file, why] of [
      ['/nowhere', /can't be read/],
      ['/dev/null', /no certificate in PEM/],
    ] as const) {
      const { exitCode, stderr } = await bundle.run(['model', '--ca-file', file]);
      assert.equal(exitCode, 2);
      assert.match(stderr, why);
    }
  });
});
