/**
 * Commands as the bytes of log entries: one byte of format version, then CBOR. A change of the format takes the next
 * version and goes on reading the old ones, for logs outlive programs.
 */
import { Command } from '../../protocols/schema/command.ts';
import { decode, encode } from '../../protocols/wire/codec.ts';
import { WireError } from '../../protocols/wire/error.ts';

/** Entries of this format also go by rule 1 of `protocols/schema/change.ts`. */
const FORMAT = 1;

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
  if (data[0] !== FORMAT) return null;
  try {
    return decode(Command, data.subarray(1));
  } catch (cause) {
    if (cause instanceof WireError) return null;
    throw cause;
  }
}
