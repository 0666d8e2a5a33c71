import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { describe, test } from 'node:test';
import type { JoinFailure } from '../../../node/mesh/types.ts';
import { pause } from '../../../node/pause.ts';
import { invite, SILENCE_MS } from '../../../node/service/invitation.ts';
import { memberOf, peerId } from '../../builders/nouns.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { Fleet } from '../mesh/fleet.ts';

const HOST = '192.0.2.7:22';
const MEMBER = peerId('member');

/** What a caller of `worker/add` is told, and after how long, when the dial ends so. */
async function told(error: JoinFailure, lastsMs = 0) {
  const clock = new FakeClock();
  const logged: object[] = [];
  let beganMs = 0;
  const answer = invite(HOST, {
    master: () => null,
    clusterId: () => 'c',
    knownPeers: () => [],
    tables: { member: (id) => (id === MEMBER ? memberOf(MEMBER) : undefined) },
    clock,
    logger: { ...silentLogger, info: (fields) => logged.push(fields) },
    mesh: {
      join: async () => {
        beganMs = clock.monotonicMs();
        await pause(clock, lastsMs);
        return { ok: false, error };
      },
    },
  });
  let endedMs: number | null = null;
  const ended = answer.then(() => {
    endedMs = clock.monotonicMs();
  });
  await clock.until(() => endedMs !== null);
  await ended;
  return { answer: await answer, tookMs: (endedMs ?? 0) - beganMs, logged };
}

describe('worker/add', () => {
  test('a closed port, an open one of something else and silence are told in the same words, at the same time', async () => {
    const tries: readonly (readonly [JoinFailure, number])[] = [
      [{ code: 'UNREACHABLE', message: `${HOST} can't be reached (ECONNREFUSED)` }, 1],
      [{ code: 'UNREACHABLE', message: `${HOST} can't be reached (getaddrinfo ENOTFOUND)` }, 40],
      [{ code: 'PROTOCOL', message: `what answers at ${HOST} is no fsched node` }, 5],
      [{ code: 'TIMEOUT', message: `${HOST} did not answer in time` }, 3000],
    ];
    const heard = await Promise.all(tries.map(([error, lastsMs]) => told(error, lastsMs)));
    assert.equal(new Set(heard.map(({ answer }) => JSON.stringify(answer))).size, 1);
    const times = heard.map(({ tookMs }) => tookMs);
    for (const tookMs of times) assert.ok(Math.abs(tookMs - SILENCE_MS) <= 20, times.join());
    // The operator of the node is told what it was.
    for (const [index, { logged }] of heard.entries())
      assert.deepEqual(logged, [
        { target: HOST, code: tries[index]?.[0].code, reason: tries[index]?.[0].message },
      ]);
  });

  test('what a node of ours says is passed on at once: it is no secret that it is one', async () => {
    const message = 'has another join token';
    const { answer, tookMs } = await told({ code: 'WRONG_TOKEN', message });
    assert.equal(tookMs < 500, true);
    assert.match(answer.ok ? '' : answer.error.message, /another join token/);
  });

  test('an address that no member should have is refused before anything is dialled', async () => {
    const { answer, tookMs } = await told({ code: 'FORBIDDEN', message: 'no member should be there' });
    assert.equal(answer.ok ? '' : answer.error.code, 'BAD_REQUEST');
    assert.equal(tookMs < 500, true);
  });

  test('a port that accepts and says nothing is left before the answer is due', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    try {
      await using fleet = await Fleet.of(1);
      const beganMs = performance.now();
      const invitation = { type: 'invite', clusterId: 'test', members: [] } as const;
      const joined = await fleet.at(0).mesh.join(`127.0.0.1:${port}`, invitation);
      assert.equal(joined.ok, false);
      // The dial alone would wait three times as long for the handshake.
      assert.ok(performance.now() - beganMs < 8000);
    } finally {
      silent.close();
    }
  });
});
