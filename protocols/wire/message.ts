/** Protobuf messages as bytes, with our error in place of protobuf's. */
import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import { WireError } from './error.ts';

/** @throws WireError MALFORMED */
export function decodeMessage<D extends DescMessage>(schema: D, bytes: Uint8Array): MessageShape<D> {
  try {
    return fromBinary(schema, bytes);
  } catch (cause) {
    throw new WireError('MALFORMED', `not a ${schema.name}`, { cause });
  }
}

/** For the empty case of a oneof, a missing message, an unknown enumerator. */
export function malformed(what: string): WireError {
  return new WireError('MALFORMED', `${what} is missing or unknown`);
}

/** The pairs of a union of strings and its protobuf enumerators, both ways. */
export function enumeration<S extends string, E extends number>(pairs: readonly (readonly [S, E])[]) {
  const numbers = new Map(pairs);
  const names = new Map(pairs.map(([name, number]) => [number, name] as const));
  return {
    encode: (name: S): E => numbers.get(name) as E,
    /** @throws WireError MALFORMED */
    decode(number: number): S {
      const name = names.get(number as E);
      if (name === undefined) throw malformed('an enumerator');
      return name;
    },
  };
}
