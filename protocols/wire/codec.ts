/** Messages as bytes: CBOR (RFC 8949), checked by their schema on both ends. */
import type { Stream } from '@libp2p/interface';
import { decode as decodeCbor, encode as encodeCbor, Tokenizer } from 'cborg';
import type { TSchema } from 'typebox';
import { check, explain, isValid } from '../schema/check.ts';
import type { Value } from '../schema/fields.ts';
import { WireError } from './error.ts';
import type { StreamReader } from './reader.ts';
import { writeFrame } from './writer.ts';

/** A number is a number, and a map has each key once: everything else is a fault, or a trick. */
const STRICT = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowBigInt: false,
  allowInfinity: false,
  allowNaN: false,
  rejectDuplicateMapKeys: true,
} as const;

/**
 * Values in one message. Without a bound a few megabytes of empty maps, under a key that nobody knows, would hold the
 * event loop for seconds.
 */
const MAX_VALUES = 250_000;

class CountingTokenizer extends Tokenizer {
  #left = MAX_VALUES;

  override next(): ReturnType<Tokenizer['next']> {
    if (this.#left-- === 0) throw new RangeError(`more than ${MAX_VALUES} values`);
    return super.next();
  }
}

/** @throws WireError MALFORMED when the value doesn't fit its own schema, so that nobody else has to find out */
export function encode<S extends TSchema>(schema: S, value: Value<S>): Uint8Array {
  if (!isValid(schema, value)) throw new WireError('MALFORMED', explain(schema, value));
  return encodeCbor(value, { ignoreUndefinedProperties: true });
}

/** The value without keys that its schema doesn't know. @throws WireError MALFORMED with what is wrong */
export function decode<S extends TSchema>(schema: S, bytes: Uint8Array): Value<S> {
  const checked = check(schema, decodeAny(bytes));
  if (!checked.ok) throw new WireError('MALFORMED', checked.error);
  return checked.value;
}

/** Unchecked: for what is only shown. @throws WireError MALFORMED for what is no CBOR, or has too many values */
export function decodeAny(bytes: Uint8Array): unknown {
  try {
    return decodeCbor(bytes, { ...STRICT, tokenizer: new CountingTokenizer(bytes, STRICT) });
  } catch (cause) {
    throw new WireError('MALFORMED', 'the message is not CBOR', { cause });
  }
}

/** Sends one message in a frame of at most `maxBytes`. @throws WireError */
export async function sendMessage<S extends TSchema>(
  stream: Stream,
  schema: S,
  value: Value<S>,
  maxBytes: number,
): Promise<void> {
  const bytes = encode(schema, value);
  if (bytes.length > maxBytes) {
    throw new WireError('TOO_LARGE', `a message of ${bytes.length} bytes is over the limit of ${maxBytes}`);
  }
  await writeFrame(stream, bytes);
}

/** The next message, which must be there, in a frame of at most `maxBytes`. @throws WireError */
export async function readMessage<S extends TSchema>(
  reader: StreamReader,
  schema: S,
  maxBytes: number,
): Promise<Value<S>> {
  return decode(schema, await reader.expectFrame(maxBytes));
}
