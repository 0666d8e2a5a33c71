/**
 * Messages, entries and the hard state as protobuf bytes (`protocols/raft/raft.proto`). Decoding never
 * throws: damaged bytes give an error value.
 */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { RaftEntry, RaftMessage } from '../../protocols/raft/raft_pb.ts';
import { RaftEntrySchema, RaftHardStateSchema, RaftMessageSchema } from '../../protocols/raft/raft_pb.ts';
import type { Outcome } from '../../protocols/schema/outcome.ts';
import { fail, succeed } from '../../protocols/schema/outcome.ts';
import type { Message, MessageBody } from './messages.ts';
import type { Entry, HardState } from './types.ts';

export interface CodecFailure {
  readonly code: 'MALFORMED';
  readonly message: string;
}

/** Thrown inside of this module only. */
class MalformedError extends Error {}

export function encodeMessage(message: Message): Uint8Array {
  return toBinary(RaftMessageSchema, create(RaftMessageSchema, messageToWire(message)));
}

export function decodeMessage(bytes: Uint8Array): Outcome<Message, CodecFailure> {
  return guarded(() => {
    const wire = fromBinary(RaftMessageSchema, bytes);
    return { ...bodyFromWire(wire), term: integer(wire.term) };
  });
}

export function encodeEntry(entry: Entry): Uint8Array {
  return toBinary(RaftEntrySchema, create(RaftEntrySchema, entryToWire(entry)));
}

export function decodeEntry(bytes: Uint8Array): Outcome<Entry, CodecFailure> {
  return guarded(() => entryFromWire(fromBinary(RaftEntrySchema, bytes)));
}

export function encodeHardState({ term, votedFor, commitIndex }: HardState): Uint8Array {
  const wire = { term: BigInt(term), votedFor: votedFor ?? '', commitIndex: BigInt(commitIndex) };
  return toBinary(RaftHardStateSchema, create(RaftHardStateSchema, wire));
}

export function decodeHardState(bytes: Uint8Array): Outcome<HardState, CodecFailure> {
  return guarded(() => {
    const wire = fromBinary(RaftHardStateSchema, bytes);
    return {
      term: integer(wire.term),
      votedFor: wire.votedFor === '' ? null : wire.votedFor,
      commitIndex: integer(wire.commitIndex),
    };
  });
}

function guarded<T>(decode: () => T): Outcome<T, CodecFailure> {
  try {
    return succeed(decode());
  } catch (error) {
    return fail({ code: 'MALFORMED', message: error instanceof Error ? error.message : String(error) });
  }
}

function integer(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new MalformedError(`${value} is out of range`);
  return Number(value);
}

function messageToWire(message: Message): MessageInitShape<typeof RaftMessageSchema> {
  const term = BigInt(message.term);
  switch (message.type) {
    case 'vote-request': {
      const { pre, lastIndex, lastTerm } = message;
      const value = { pre, lastIndex: BigInt(lastIndex), lastTerm: BigInt(lastTerm) };
      return { term, body: { case: 'voteRequest', value } };
    }
    case 'vote-response':
      return { term, body: { case: 'voteResponse', value: { pre: message.pre, granted: message.granted } } };
    case 'append': {
      const { previousIndex, previousTerm, commitIndex, entries } = message;
      const value = {
        previousIndex: BigInt(previousIndex),
        previousTerm: BigInt(previousTerm),
        commitIndex: BigInt(commitIndex),
        entries: entries.map(entryToWire),
      };
      return { term, body: { case: 'append', value } };
    }
    case 'append-accepted':
      return { term, body: { case: 'appendAccepted', value: { matchIndex: BigInt(message.matchIndex) } } };
    case 'append-rejected': {
      const { previousIndex, hintIndex, hintTerm } = message;
      const value = {
        previousIndex: BigInt(previousIndex),
        hintIndex: BigInt(hintIndex),
        hintTerm: BigInt(hintTerm),
      };
      return { term, body: { case: 'appendRejected', value } };
    }
    case 'heartbeat':
      return { term, body: { case: 'heartbeat', value: { commitIndex: BigInt(message.commitIndex) } } };
    case 'heartbeat-response':
      return { term, body: { case: 'heartbeatResponse', value: {} } };
  }
}

function bodyFromWire({ body }: RaftMessage): MessageBody {
  switch (body.case) {
    case 'voteRequest': {
      const { pre, lastIndex, lastTerm } = body.value;
      return { type: 'vote-request', pre, lastIndex: integer(lastIndex), lastTerm: integer(lastTerm) };
    }
    case 'voteResponse':
      return { type: 'vote-response', pre: body.value.pre, granted: body.value.granted };
    case 'append':
      return {
        type: 'append',
        previousIndex: integer(body.value.previousIndex),
        previousTerm: integer(body.value.previousTerm),
        commitIndex: integer(body.value.commitIndex),
        entries: body.value.entries.map(entryFromWire),
      };
    case 'appendAccepted':
      return { type: 'append-accepted', matchIndex: integer(body.value.matchIndex) };
    case 'appendRejected':
      return {
        type: 'append-rejected',
        previousIndex: integer(body.value.previousIndex),
        hintIndex: integer(body.value.hintIndex),
        hintTerm: integer(body.value.hintTerm),
      };
    case 'heartbeat':
      return { type: 'heartbeat', commitIndex: integer(body.value.commitIndex) };
    case 'heartbeatResponse':
      return { type: 'heartbeat-response' };
    case undefined:
      throw new MalformedError('a message without a body');
  }
}

function entryToWire(entry: Entry): MessageInitShape<typeof RaftEntrySchema> {
  const head = { term: BigInt(entry.term), index: BigInt(entry.index) };
  switch (entry.kind) {
    case 'noop':
      return { ...head, payload: { case: 'noop', value: {} } };
    case 'command':
      return { ...head, payload: { case: 'command', value: entry.data } };
    case 'configuration': {
      const { voters, learners } = entry.configuration;
      return {
        ...head,
        payload: { case: 'configuration', value: { voters: [...voters], learners: [...learners] } },
      };
    }
  }
}

function entryFromWire({ term, index, payload }: RaftEntry): Entry {
  const head = { term: integer(term), index: integer(index) };
  switch (payload.case) {
    case 'noop':
      return { ...head, kind: 'noop' };
    case 'command':
      // A copy: the bytes are kept, and the frame that they came in shall not be kept alive by them.
      return { ...head, kind: 'command', data: payload.value.slice() };
    case 'configuration': {
      const { voters, learners } = payload.value;
      const ids = [...voters, ...learners];
      if (new Set(ids).size !== ids.length) throw new MalformedError('a node is twice in a configuration');
      return { ...head, kind: 'configuration', configuration: { voters, learners } };
    }
    case undefined:
      throw new MalformedError('an entry without a payload');
  }
}
