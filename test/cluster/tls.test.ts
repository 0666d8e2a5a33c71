import assert from 'node:assert/strict';
import { copyFileSync, readFileSync } from 'node:fs';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { Authority, noCertificates } from '../support/certificates.ts';
import { type DaemonProcess, TestCluster } from '../support/daemon-process.ts';
import { eventually } from '../support/eventually.ts';

/** Its troubles as its health tells them, and the serial number of the certificate that it showed. */
const ask = ({ rest, apiTokenFile }: DaemonProcess, ca: string) =>
  new Promise<{ troubles: string; serial: string }>((resolve, reject) => {
    const headers = { authorization: `Bearer ${readFileSync(apiTokenFile, 'utf8').trim()}` };
    const outgoing = request(`${rest}/healthz`, { ca, headers, agent: false }, (response) => {
      const serial = (response.socket as TLSSocket).getPeerCertificate().serialNumber;
      const told = text(response).then((body) => JSON.parse(body).troubles.join());
      told.then((troubles: string) => resolve({ troubles, serial }), reject);
    });
    outgoing.once('error', reject);
    outgoing.end();
  });

test('a node serves https, and reads a renewed certificate at SIGHUP', { skip: noCertificates }, async () => {
  using authority = new Authority();
  const live = authority.issue({ days: 3 });
  await using cluster = await TestCluster.create();
  const node = await cluster.add(['--tls-cert', live.certFile, '--tls-key', live.keyFile]);
  assert.match(node.rest, /^https:\/\/127\.0\.0\.1:\d+$/);
  const before = await ask(node, authority.ca);
  assert.match(before.troubles, /the certificate of REST expires at/);

  const renewed = authority.issue();
  copyFileSync(renewed.certFile, live.certFile);
  copyFileSync(renewed.keyFile, live.keyFile);
  process.kill(node.pid, 'SIGHUP');
  await eventually('the renewed certificate', async () => {
    const { serial, troubles } = await ask(node, authority.ca);
    return serial !== before.serial && !troubles.includes('certificate');
  });
  assert.equal(await node.kill('SIGTERM'), 0);
});
