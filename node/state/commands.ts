/**
 * Commands as the bytes of log entries: one byte of format version, then CBOR. A change of the format takes the next
 * version and goes on reading the old ones, for logs outlive programs.
 */
import { check } from '../../protocols/schema/check.ts';
import { Command } from '../../protocols/schema/command.ts';
import { decode, decodeAny, encode } from '../../protocols/wire/codec.ts';
import { WireError } from '../../protocols/wire/error.ts';

/** Entries of formats 1 and 2 go by rule 1 of `protocols/schema/change.ts`. */
const FORMAT = 2;

/** @throws WireError MALFORMED for a command that its schema refuses: it must not get into the log */
export function encodeCommand(command: Command): Uint8Array {
  const body = encode(Command, command);
  const bytes = new Uint8Array(1 + body.length);
  bytes[0] = FORMAT;
  bytes.set(body, 1);
  return bytes;
}

/**
 * Null for bytes that are no command of this version: nodes of one version refuse such an entry alike. A newer version
 * applies what an older one refuses, so a format or a bound is raised only after every member can read it.
 */
export function decodeCommand(data: Uint8Array): Command | null {
  const body = data.subarray(1);
  try {
    if (data[0] === FORMAT) return decode(Command, body);
    if (data[0] !== 1) return null;
    const upgraded = check(Command, fromFormat1(decodeAny(body)));
    return upgraded.ok ? upgraded.value : null;
  } catch (cause) {
    if (cause instanceof WireError) return null;
    throw cause;
  }
}

/** What format 2 knows beyond format 1, as it was then: members of an address only, and no secrets. */
function fromFormat1(command: unknown): unknown {
  if (!isRecord(command)) return command;
  const { type, member, task, spec } = command;
  switch (type) {
    case 'member-put':
      return { ...command, member: { ...OLD_MEMBER, ...Object(member) } };
    case 'member-remove':
      return { ...command, atMs: 0 };
    case 'task-create':
      return { ...command, task: { ...Object(task), secrets: [] } };
    case 'run-create':
      return { ...command, spec: { ...Object(spec), secrets: [] } };
    default:
      return command;
  }
}

const OLD_MEMBER = { apiToken: null, mayVote: true, joinedBy: null } as const;

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
