import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { systemClock, systemRandom } from '../../../node/adapters.ts';
import type { Logger } from '../../../node/ports.ts';
import type { RestOptions } from '../../../node/rest/options.ts';
import { createRestServer, type RestServer } from '../../../node/rest/server.ts';
import { certificateTrouble, loadTls } from '../../../node/rest/tls.ts';
import { Authority, noCertificates } from '../../support/certificates.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { FakeBackend } from './fake-backend.ts';
import { localUser, sendRaw } from './harness.ts';

const DAY_MS = 86_400_000;

describe('REST by https', { skip: noCertificates }, () => {
  let authority: Authority;
  before(() => {
    authority = new Authority();
  });
  after(() => authority[Symbol.dispose]());

  async function start(tls: NonNullable<RestOptions['tls']>, options: Partial<RestOptions> = {}) {
    const said: { level: string; message: string }[] = [];
    const say = (level: string) => (_fields: object, message: string) => said.push({ level, message });
    const logger: Logger = { ...silentLogger, error: say('error'), warn: say('warn'), info: say('info') };
    const server = createRestServer(
      { port: 0, tls, stopTimeoutMs: 200, ...options },
      {
        backend: new FakeBackend(),
        logger,
        clock: systemClock,
        random: systemRandom,
        localUser: localUser(),
      },
    );
    const { port } = await server.start();
    return { server, port, said, [Symbol.asyncDispose]: () => server.stop() };
  }

  async function open(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
    const socket = connect({ port, host: '127.0.0.1', ca: authority.ca, ...options });
    await once(socket, 'secureConnect');
    return socket;
  }
  async function ask(socket: TLSSocket): Promise<string> {
    socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const [answer] = await once(socket, 'data');
    return String(answer).split('\r\n')[0] ?? '';
  }
  const serial = (socket: TLSSocket) => socket.getPeerCertificate().serialNumber;
  const shown = async (port: number) => {
    const socket = await open(port);
    const number = serial(socket);
    socket.destroy();
    return number;
  };
  const reload = (server: RestServer) => server.reloadTls();

  test('answers who trusts the authority, and says so in its URL', async () => {
    await using rest = await start(authority.issue());
    assert.equal(rest.server.url, `https://127.0.0.1:${rest.port}`);
    const socket = await open(rest.port);
    assert.equal(await ask(socket), 'HTTP/1.1 200 OK');
    socket.destroy();
    await assert.rejects(open(rest.port, { ca: [] }), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
  });

  test('speaks no TLS older than 1.2, and no plain HTTP', async () => {
    await using rest = await start(authority.issue());
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const;
    await assert.rejects(open(rest.port, old), /alert protocol version|unsupported protocol/);
    const plain = await sendRaw(rest.port, 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
    assert.doesNotMatch(plain, /200/);
  });

  test('shows a renewed certificate to new connections, and drops none of the old', async () => {
    const live = authority.issue();
    await using rest = await start(live);
    const old = await open(rest.port);
    await ask(old);
    const renewed = authority.issue();
    copyFileSync(renewed.certFile, live.certFile);
    copyFileSync(renewed.keyFile, live.keyFile);
    assert.equal(await shown(rest.port), serial(old), 'nothing changes by itself');
    await reload(rest.server);
    assert.notEqual(await shown(rest.port), serial(old));
    assert.equal(await ask(old), 'HTTP/1.1 200 OK', 'the connection of before is still served');
    old.destroy();
  });

  test('keeps the old pair when the new one is no good, and says why', async () => {
    const live = authority.issue();
    await using rest = await start(live);
    const first = await shown(rest.port);
    const good = { cert: readFileSync(live.certFile), key: readFileSync(live.keyFile) };
    const expired = authority.issue({ days: -1 });
    for (const [what, breaks] of [
      ['is not that of the certificate', () => copyFileSync(authority.issue().keyFile, live.keyFile)],
      ['no certificate in PEM', () => writeFileSync(live.certFile, 'nonsense')],
      ['no private key in PEM', () => writeFileSync(live.keyFile, '')],
      [
        'expired',
        () => {
          copyFileSync(expired.certFile, live.certFile);
          copyFileSync(expired.keyFile, live.keyFile);
        },
      ],
    ] as const) {
      writeFileSync(live.certFile, good.cert);
      writeFileSync(live.keyFile, good.key);
      breaks();
      await reload(rest.server);
      const last = rest.said.at(-1);
      assert.equal(last?.level, 'error');
      assert.match(last?.message ?? '', new RegExp(what));
      assert.equal(await shown(rest.port), first, what);
    }
  });

  test('does not start with a pair that does not belong together', async () => {
    const [one, other] = [authority.issue(), authority.issue()];
    await assert.rejects(start({ certFile: one.certFile, keyFile: other.keyFile }), { code: 'TLS' });
    await assert.rejects(start({ certFile: '/nowhere', keyFile: other.keyFile }), { code: 'TLS' });
  });

  test('tells in time that its certificate ends', async () => {
    await using soon = await start(authority.issue({ days: 3 }));
    assert.match(soon.server.certificateTrouble() ?? '', /expires at .*SIGHUP/);
    assert.equal(soon.said.at(-1)?.level, 'warn');
    // It still runs functions, so it starts; but it is an error.
    await using late = await start(authority.issue({ days: -1 }));
    assert.match(late.server.certificateTrouble() ?? '', /expired at/);
    assert.equal(late.said.at(-1)?.level, 'error');
    await using fine = await start(authority.issue());
    assert.equal(fine.server.certificateTrouble(), null);
    assert.deepEqual(fine.said, []);
  });

  test('a certificate is told of two weeks before its end, and before its begin', async () => {
    const pair = await loadTls(authority.issue({ days: 30 }));
    const at = (ms: number) => certificateTrouble(pair, ms);
    assert.equal(at(pair.validToMs - 14 * DAY_MS - 1), null);
    assert.equal(at(pair.validToMs - 14 * DAY_MS)?.refused, false);
    assert.equal(at(pair.validToMs)?.refused, true);
    assert.match(at(pair.validFromMs - 1)?.message ?? '', /valid from/);
  });
});
