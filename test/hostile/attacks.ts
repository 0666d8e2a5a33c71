/** What a hostile peer does to a cluster: each attack by itself, for the test that looks what is left of it, and the benchmark. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import type { Connection } from '@libp2p/interface';
import { encode as encodeCbor } from 'cborg';
import fc from 'fast-check';
import { encodeMessage } from '../../node/consensus/codec.ts';
import type { Message } from '../../node/consensus/messages.ts';
import { BLOB_PROTOCOL } from '../../protocols/blob/index.ts';
import { CONTROL_PROTOCOL } from '../../protocols/control/index.ts';
import { capacityTopic, digestTopic } from '../../protocols/gossip/index.ts';
import { HTTP_PROTOCOL } from '../../protocols/http/index.ts';
import { INSPECT_PROTOCOL } from '../../protocols/inspect/index.ts';
import { JOIN_PROTOCOL } from '../../protocols/join/index.ts';
import { FrameKind, LINK_PROTOCOL } from '../../protocols/link/index.ts';
import { tokenId } from '../../protocols/proof/token-keys.ts';
import { ControlRequest } from '../../protocols/schema/messages.ts';
import { StreamReader } from '../../protocols/wire/reader.ts';
import { frame, writeFrame } from '../../protocols/wire/writer.ts';
import { dispatchOf, domainOf, newMemberOf, noticeOf, peerId, shareOf } from '../builders/nouns.ts';
import { arbitraryOf } from '../support/arbitrary.ts';
import type { DaemonProcess, TestCluster } from '../support/daemon-process.ts';
import { eventually } from '../support/eventually.ts';
import { HostilePeer } from './hostile-peer.ts';

export interface Battlefield {
  readonly cluster: TestCluster;
  /** The daemons that are to go on. */
  readonly nodes: readonly DaemonProcess[];
  readonly clusterId: string;
  /** Of a task, and of a run that is over. */
  readonly taskId: string;
  readonly runId: string;
  /** A member that turned. */
  readonly traitor: HostilePeer;
}

export interface Attack {
  readonly name: string;
  readonly run: (field: Battlefield) => Promise<void>;
}

const PROTOCOLS = [
  JOIN_PROTOCOL,
  INSPECT_PROTOCOL,
  CONTROL_PROTOCOL,
  LINK_PROTOCOL,
  BLOB_PROTOCOL,
  HTTP_PROTOCOL,
  '/meshsub/1.2.0',
  '/ipfs/id/1.0.0',
  '/ipfs/id/push/1.0.0',
];
const ABSURD = Number.MAX_SAFE_INTEGER;

/** Noise, a length that never comes, a frame that is cut off, and one that is no message. */
const GARBAGE: readonly Uint8Array[] = [
  randomBytes(50_000),
  Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
  Uint8Array.of(0xff, 0xff, 0x7f, 1, 2, 3),
  frame(encodeCbor({ type: 'nothing' })),
  frame(encodeCbor([])),
];

/** The same to all nodes at once, over a connection of its own to each. */
async function everywhere(
  nodes: readonly DaemonProcess[],
  peer: HostilePeer,
  harm: (connection: Connection) => Promise<unknown>,
): Promise<void> {
  await Promise.all(
    nodes.map(async (node) => {
      const connection = await peer.dial(node);
      try {
        await harm(connection);
      } finally {
        connection.abort(new Error('done'));
      }
    }),
  );
}

const garbage = (nodes: readonly DaemonProcess[], peer: HostilePeer): Promise<void> =>
  everywhere(nodes, peer, (connection) =>
    Promise.all(
      PROTOCOLS.flatMap((protocol) => GARBAGE.map((bytes) => peer.send(connection, protocol, bytes))),
    ),
  );

/** Each request, with some of its bytes changed. */
function mutatedRequests(count: number): Uint8Array[] {
  return fc.sample(arbitraryOf(ControlRequest), { numRuns: count, seed: 8 }).map((request, index) => {
    const bytes = Uint8Array.from(encodeCbor(request));
    for (let change = 0; change < 1 + (index % 4); change += 1) {
      bytes[(index * 7919 + change * 104_729) % bytes.length] = (index * 31 + change) % 256;
    }
    return frame(bytes);
  });
}

const FRAMES: readonly Message[] = [ABSURD, 1_000_000, 2, 0].flatMap((term): Message[] => [
  { type: 'heartbeat', term, commitIndex: ABSURD },
  { type: 'heartbeat-response', term },
  { type: 'vote-request', term, pre: false, lastIndex: ABSURD, lastTerm: ABSURD },
  { type: 'vote-request', term, pre: true, lastIndex: ABSURD, lastTerm: ABSURD },
  { type: 'vote-response', term, pre: false, granted: true },
  { type: 'append', term, previousIndex: 0, previousTerm: 0, commitIndex: ABSURD, entries: [] },
  { type: 'append-accepted', term, matchIndex: ABSURD },
  { type: 'append-rejected', term, previousIndex: 1, hintIndex: 0, hintTerm: 0 },
]);

const consensusFrames = ({ nodes, traitor }: Battlefield): Promise<void> =>
  everywhere(nodes, traitor, (connection) => {
    const frames = [
      ...FRAMES.map(encodeMessage),
      ...Array.from({ length: 100 }, (_, length) => randomBytes(length)),
    ];
    const link = frames.map((bytes) => frame(Uint8Array.of(FrameKind.RAFT), bytes));
    return traitor.send(connection, LINK_PROTOCOL, Buffer.concat(link));
  });

function forgedOrders({ nodes, runId, taskId, traitor }: Battlefield): Promise<void> {
  const dispatch = dispatchOf({ taskId, runId: 'made-up', term: 1 });
  const fence = { runId, attempt: 1, term: 1 };
  const report = { ...fence, state: 'failed', result: null, error: 'a lie', atMs: 1 };
  const requests = [
    { type: 'dispatch', dispatch },
    { type: 'dispatch', dispatch: { ...dispatch, term: ABSURD } },
    { type: 'cancel', runId, attempt: 1 },
    { type: 'held' },
    { type: 'output', runId, attempt: 1, stream: 'stdout', offset: 0 },
    { type: 'started', ...fence, atMs: 1 },
    { type: 'report', report },
  ];
  return everywhere(nodes, traitor, async (connection) => {
    const answers = await Promise.all(requests.map((request) => traitor.call(connection, request)));
    for (const answer of answers) assert.match(answer?.type ?? 'none', /refused|not-master/);
  });
}

function forgedAdmissions({ nodes, traitor }: Battlefield): Promise<void> {
  const bytes = new Uint8Array(32);
  const bearer = { type: 'token', id: tokenId('a token that nobody has made') };
  const proof = { bearer, dialler: bytes, answerer: bytes, signature: new Uint8Array(64) };
  const ids = ['garbage', peerId('friend'), nodes[1]?.peer ?? ''];
  const requests = ids.flatMap((id) => {
    const member = { ...newMemberOf(id), addresses: ['/ip4/127.0.0.1/tcp/1'] };
    return [
      { type: 'admit', member },
      { type: 'admit-joiner', member, proof },
      { type: 'admit-joiner', member },
    ];
  });
  return everywhere(nodes, traitor, async (connection) => {
    for (const request of requests) {
      const answer = await traitor.call(connection, request);
      assert.notEqual(answer?.type, 'ok', `${request.type} of ${request.member.id}`);
    }
  });
}

function pushes({ nodes, traitor }: Battlefield): Promise<void> {
  const content = randomBytes(1000);
  const sha256 = createHash('sha256').update(content).digest('hex');
  return everywhere(nodes, traitor, async (connection) => {
    const push = async (size: number): Promise<void> => {
      const answer = await traitor.ask(connection, BLOB_PROTOCOL, { type: 'push', sha256, size });
      assert.equal(answer?.code, 'REFUSED');
    };
    await Promise.all([content.length, 0, 2 ** 40].map(push));
    const absent = await traitor.ask(connection, BLOB_PROTOCOL, { type: 'fetch', sha256 });
    assert.equal(absent?.code, 'MISSING');
  });
}

function http({ nodes, traitor }: Battlefield): Promise<void> {
  const lines = ['GET /tasks', 'GET /runs', 'DELETE /cluster/workers/x', 'POST /submit'];
  return everywhere(nodes, traitor, async (connection) => {
    const request = async (line: string): Promise<void> => {
      const stream = await traitor.open(connection, HTTP_PROTOCOL);
      const bearer = `authorization: Bearer ${'0'.repeat(64)}`;
      const rest = `host: x\r\n${bearer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`;
      stream.send(Buffer.from(`${line} HTTP/1.1\r\n${rest}`));
      const answer = Buffer.from((await new StreamReader(stream).chunk()) ?? []).toString();
      assert.match(answer, /^HTTP\/1.1 401 /, line);
      stream.abort(new Error('done'));
    };
    await Promise.all(lines.map(request));
    await traitor.send(connection, HTTP_PROTOCOL, randomBytes(100_000));
  });
}

/** Until the cluster listens: gossip has its streams a moment after the connection. */
async function gossip(
  field: Battlefield,
  messages: readonly [topic: string, bytes: Uint8Array][],
): Promise<void> {
  const { nodes, traitor, clusterId } = field;
  const connections: Connection[] = [];
  for (const node of nodes) connections.push(await traitor.dial(node));
  const { gossip: pubsub } = traitor.host.services;
  pubsub.subscribe(capacityTopic(clusterId));
  await eventually('streams of gossip', () =>
    connections.some(({ streams }) => streams.some(({ protocol }) => protocol.startsWith('/meshsub/'))),
  );
  for (const [index, [topic, bytes]] of messages.entries()) {
    await pubsub.publish(topic, bytes).catch(() => {});
    if (index % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  for (const connection of connections) connection.abort(new Error('done'));
}

function lies({ traitor, clusterId, nodes, runId }: Battlefield): [string, Uint8Array][] {
  const topic = capacityTopic(clusterId);
  const huge = Array.from({ length: 1024 }, (_, id) =>
    domainOf({ id, ways: 64, freeWays: 64, wayBytes: 2 ** 40 }),
  );
  const runs = Array.from({ length: 4000 }, () => shareOf({ runId }));
  const victim = nodes[0]?.peer ?? '';
  const notices: object[] = [
    noticeOf(traitor.id, { domains: huge }),
    noticeOf(traitor.id, { sequence: 2, domains: huge.slice(0, 500), runs }),
    noticeOf(traitor.id, { sequence: ABSURD, startedAtMs: 8_640_000_000_000_000 }),
    { ...noticeOf(traitor.id), domains: [domainOf({ ways: 1e6, freeWays: 1e6 })] },
    { ...noticeOf(traitor.id), domains: Array.from({ length: 20_000 }, (_, id) => domainOf({ id })) },
    { ...noticeOf(traitor.id), load1: -1, cpus: 1e9 },
    noticeOf(victim, { sequence: ABSURD, startedAtMs: 8_640_000_000_000_000, domains: [] }),
    { type: 'nothing' },
  ];
  const digest = {
    term: ABSURD,
    master: traitor.id,
    commitIndex: ABSURD,
    versions: { members: 1, tasks: 1, profiles: 1, runs: 1, models: 1, observations: 1 },
    queued: 0,
    running: 0,
  };
  return [
    ...notices.map((notice): [string, Uint8Array] => [topic, encodeCbor(notice)]),
    [digestTopic(clusterId), encodeCbor(digest)],
    [digestTopic(clusterId), encodeCbor({ ...digest, master: victim })],
    [topic, randomBytes(1000)],
    ['a topic of nobody', randomBytes(1000)],
  ];
}

const flood = ({ traitor, clusterId }: Battlefield): [string, Uint8Array][] =>
  Array.from({ length: 3000 }, (_, sequence) => [
    capacityTopic(clusterId),
    encodeCbor(noticeOf(traitor.id, { sequence: 1000 + sequence })),
  ]);

/** Many streams, each in the middle of a large frame. */
const halfFrames = ({ nodes, traitor }: Battlefield): Promise<void> =>
  everywhere(nodes, traitor, async (connection) => {
    const half = Buffer.concat([Uint8Array.of(0x80, 0x80, 0x80, 0x04), new Uint8Array(100_000)]);
    await Promise.all(
      Array.from({ length: 100 }, async () => {
        const stream = await traitor.open(connection, CONTROL_PROTOCOL).catch(() => null);
        if (stream?.status === 'open') stream.send(half);
      }),
    );
    // Behind them, so that they have come.
    await traitor.call(connection, { type: 'nothing' });
  });

/** Sockets that say nothing, and strangers of ever new ids, more than there are places. */
async function connections({ nodes }: Battlefield): Promise<void> {
  const [node] = nodes;
  assert.ok(node);
  const [, , host = '', , port] = node.mesh.split('/');
  const sockets: Socket[] = [];
  for (let count = 0; count < 100; count += 1) {
    const socket = connect(Number(port), host);
    socket.on('error', () => {});
    sockets.push(socket);
  }
  const strangers = await Promise.all(Array.from({ length: 6 }, () => HostilePeer.stranger()));
  try {
    await Promise.all(
      strangers.map(async (stranger) => {
        for (let count = 0; count < 12; count += 1) await stranger.dial(node).catch(() => {});
      }),
    );
    // Who may come in, comes in, though all of them are at its address.
    await eventually('the cluster is inspected', () => node.inspect());
  } finally {
    for (const socket of sockets) socket.destroy();
    await Promise.all(strangers.map((stranger) => stranger[Symbol.asyncDispose]()));
  }
}

async function wrongProofs({ nodes }: Battlefield): Promise<void> {
  const [node] = nodes;
  assert.ok(node);
  const before = node.logs.length;
  const strangers = await Promise.all(Array.from({ length: 4 }, () => HostilePeer.stranger()));
  try {
    await Promise.all(
      strangers.map(async (stranger) => {
        for (let round = 0; round < 3; round += 1) await wrongProof(stranger, node);
      }),
    );
    await eventually('the cluster is inspected', () => node.inspect());
    const told = node.logs.slice(before);
    // One at once, and one in ten seconds for all of them.
    assert.ok(told.split('wrong join token').length <= 4, told);
  } finally {
    await Promise.all(strangers.map((stranger) => stranger[Symbol.asyncDispose]()));
  }
}

/** The dialler's half of a proof (`protocols/proof`), up to what it shows, which is guessed; it doesn't wait for the verdict. */
async function wrongProof(stranger: HostilePeer, node: DaemonProcess): Promise<void> {
  try {
    const connection = await stranger.dial(node);
    const stream = await stranger.open(connection, JOIN_PROTOCOL);
    const reader = new StreamReader(stream);
    const bearer = { type: 'token', id: tokenId('a token that nobody has made') };
    const hello = { nonce: randomBytes(32), purpose: 'join', about: randomBytes(32), bearer };
    await writeFrame(stream, encodeCbor(hello));
    await reader.expectFrame(1024);
    await writeFrame(stream, encodeCbor({ proof: randomBytes(64) }));
    connection.abort(new Error('the next one'));
  } catch {
    // It was turned away.
  }
}

export const ATTACKS: readonly Attack[] = [
  {
    name: 'garbage of a stranger on every protocol',
    run: async ({ nodes }) => {
      await using stranger = await HostilePeer.stranger();
      await garbage(nodes, stranger);
    },
  },
  { name: 'connections of strangers, silent ones and of ever new ids', run: connections },
  { name: 'wrong proofs of the token', run: wrongProofs },
  {
    name: 'garbage of a member on every protocol',
    run: ({ nodes, traitor }) => garbage(nodes, traitor),
  },
  {
    name: 'mutated calls of a member',
    run: ({ nodes, traitor }) => {
      const requests = mutatedRequests(100);
      return everywhere(nodes, traitor, (connection) =>
        Promise.all(requests.map((bytes) => traitor.send(connection, CONTROL_PROTOCOL, bytes))),
      );
    },
  },
  { name: 'consensus frames of absurd terms, and of none', run: consensusFrames },
  { name: 'forged orders, reports and questions', run: forgedOrders },
  { name: 'forged admissions', run: forgedAdmissions },
  { name: 'files that nobody announced', run: pushes },
  { name: 'HTTP over the mesh with a token that is none, and what is no HTTP', run: http },
  { name: 'lies in gossip', run: (field) => gossip(field, lies(field)) },
  { name: 'a flood of gossip', run: (field) => gossip(field, flood(field)) },
  { name: 'many streams in the middle of large frames', run: halfFrames },
];
