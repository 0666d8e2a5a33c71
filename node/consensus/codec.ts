/**
 * Messages, entries and the hard state as bytes: Raft's hot path, so compact and without a schema's detour. The id of
 * the protocol that carries the messages (`/fsched/link/1.0.0`) is the version of their form, the format of the log on
 * disk (`level-log-store.ts`) that of entries and hard state. Decoding never throws: damaged bytes give an error value.
 */
import { isValid } from '../../protocols/schema/check.ts';
import { MAX_MEMBERS, NodeId as NodeIdSchema } from '../../protocols/schema/fields.ts';
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import { ByteReader, ByteWriter, MalformedError } from './byte-buffer.ts';
import type { Message } from './messages.ts';
import type { Entry, HardState, NodeId } from './types.ts';

export interface CodecFailure {
  readonly code: 'MALFORMED';
  readonly message: string;
}

/**
 * The fields of each message after its term, in the order of their bytes; the place in this list is the message's
 * number.
 */
const MESSAGES: readonly (readonly [Message['type'], ...(readonly string[])])[] = [
  ['vote-request', 'pre', 'lastIndex', 'lastTerm'],
  ['vote-response', 'pre', 'granted'],
  ['append', 'previousIndex', 'previousTerm', 'commitIndex', 'entries'],
  ['append-accepted', 'matchIndex'],
  ['append-rejected', 'previousIndex', 'hintIndex', 'hintTerm'],
  ['heartbeat', 'commitIndex'],
  ['heartbeat-response'],
  ['voters-request', 'configurationIndex', 'configurationTerm'],
  ['voters-response', 'configurationIndex', 'configurationTerm', 'voters'],
];
const NUMBERS = new Map(MESSAGES.map(([type], number) => [type, number]));
const FLAGS: ReadonlySet<string> = new Set(['pre', 'granted']);
const KINDS = ['noop', 'command', 'configuration'] as const;
/** A message of more is not sent: `maxAppendBytes` of the options ends one long before. */
const MOST_ENTRIES = 65_536;

export function encodeMessage(message: Message): Uint8Array {
  const writer = new ByteWriter();
  const number = NUMBERS.get(message.type) ?? 0;
  writer.byte(number);
  writer.whole(message.term);
  const values = message as unknown as Readonly<Record<string, unknown>>;
  const [, ...fields] = MESSAGES[number] ?? [];
  for (const field of fields) {
    const value = values[field];
    if (typeof value === 'number') writer.whole(value);
    else if (typeof value === 'boolean') writer.byte(value ? 1 : 0);
    else if (message.type === 'append') writeEntries(writer, message.entries);
    else if (message.type === 'voters-response') writeIds(writer, message.voters);
  }
  return writer.finish();
}

export function decodeMessage(bytes: Uint8Array): Outcome<Message, CodecFailure> {
  return decodeWith(bytes, (reader) => {
    const [type, ...fields] = MESSAGES[reader.byte()] ?? malformed('the message is of an unknown type');
    const message: Record<string, unknown> = { type, term: reader.whole() };
    for (const field of fields) {
      if (field === 'entries') message[field] = readEntries(reader);
      else if (field === 'voters') message[field] = readIds(reader);
      else message[field] = FLAGS.has(field) ? readFlag(reader) : reader.whole();
    }
    return message as unknown as Message;
  });
}

export function encodeEntry(entry: Entry): Uint8Array {
  const writer = new ByteWriter();
  writeEntry(writer, entry);
  return writer.finish();
}

export function decodeEntry(bytes: Uint8Array): Outcome<Entry, CodecFailure> {
  return decodeWith(bytes, readEntry);
}

export function encodeHardState({ term, votedFor, commitIndex }: HardState): Uint8Array {
  const writer = new ByteWriter();
  writer.whole(term);
  writer.text(votedFor ?? '');
  writer.whole(commitIndex);
  return writer.finish();
}

export function decodeHardState(bytes: Uint8Array): Outcome<HardState, CodecFailure> {
  return decodeWith(bytes, (reader) => {
    const term = reader.whole();
    const votedFor = reader.text();
    return { term, votedFor: votedFor === '' ? null : checkId(votedFor), commitIndex: reader.whole() };
  });
}

function decodeWith<T>(bytes: Uint8Array, read: (reader: ByteReader) => T): Outcome<T, CodecFailure> {
  const reader = new ByteReader(bytes);
  try {
    const value = read(reader);
    reader.end();
    return succeed(value);
  } catch (error) {
    if (error instanceof MalformedError) return fail({ code: 'MALFORMED', message: error.message });
    throw error;
  }
}

function writeEntry(writer: ByteWriter, entry: Entry): void {
  writer.byte(KINDS.indexOf(entry.kind));
  writer.whole(entry.term);
  writer.whole(entry.index);
  if (entry.kind === 'command') writer.block(entry.data);
  if (entry.kind !== 'configuration') return;
  writeIds(writer, entry.configuration.voters);
  writeIds(writer, entry.configuration.learners);
}

function readEntry(reader: ByteReader): Entry {
  const kind = KINDS[reader.byte()] ?? malformed('the entry is of an unknown kind');
  const head = { term: reader.whole(), index: reader.whole() };
  if (kind === 'noop') return { ...head, kind };
  if (kind === 'command') return { ...head, kind, data: reader.block() };
  const [voters, learners] = [readIds(reader), readIds(reader)];
  if (new Set([...voters, ...learners]).size !== voters.length + learners.length)
    malformed('a node is twice in a configuration');
  return { ...head, kind, configuration: { voters, learners } };
}

function writeIds(writer: ByteWriter, ids: readonly NodeId[]): void {
  writer.whole(ids.length);
  for (const id of ids) writer.text(id);
}

function writeEntries(writer: ByteWriter, entries: readonly Entry[]): void {
  writer.whole(entries.length);
  for (const entry of entries) writeEntry(writer, entry);
}

function readEntries(reader: ByteReader): Entry[] {
  const entries: Entry[] = [];
  for (let left = reader.count(MOST_ENTRIES); left > 0; left -= 1) entries.push(readEntry(reader));
  return entries;
}

function readIds(reader: ByteReader): NodeId[] {
  const ids: NodeId[] = [];
  for (let left = reader.count(MAX_MEMBERS); left > 0; left -= 1) ids.push(checkId(reader.text()));
  return ids;
}

function readFlag(reader: ByteReader): boolean {
  const byte = reader.byte();
  return byte < 2 ? byte === 1 : malformed('a flag is neither set nor not');
}

const checkId = (id: string): NodeId =>
  isValid(NodeIdSchema, id) ? id : malformed('the id of a node is none');

function malformed(message: string): never {
  throw new MalformedError(message);
}
