/** Arbitrary values of a schema, for properties: whatever the door takes may come, so whatever it takes is drawn. */
import fc from 'fast-check';
import type { TSchema } from 'typebox';
import { isValid } from '../../protocols/schema/check.ts';
import { PeerId, type Value } from '../../protocols/schema/fields.ts';
import { NOT_BLANK, PLAIN_FILE } from '../../protocols/schema/text.ts';
import { peerId } from '../builders/nouns.ts';

interface Shape {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Shape[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly items?: Shape;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
}

/** Values that `schema` takes; short ones, for what is long is only more of the same. */
export const arbitraryOf = <S extends TSchema>(schema: S): fc.Arbitrary<Value<S>> =>
  draw(schema as Shape).filter((value) => isValid(schema, value)) as fc.Arbitrary<Value<S>>;

function draw(shape: Shape): fc.Arbitrary<unknown> {
  if (shape.const !== undefined) return fc.constant(shape.const);
  if (shape.enum !== undefined) return fc.constantFrom(...shape.enum);
  if (shape.anyOf !== undefined) return fc.oneof(...shape.anyOf.map(draw));
  const { minimum: min = 0, maximum: max = Number.MAX_SAFE_INTEGER, minLength = 0 } = shape;
  const maxLength = Math.max(minLength, Math.min(shape.maxLength ?? 40, 40));
  switch (shape.type) {
    case 'null':
      return fc.constant(null);
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return fc.oneof(fc.integer({ min, max }), fc.integer({ min, max: Math.min(max, min + 8) }));
    case 'number':
      return fc.double({
        min,
        ...(shape.maximum !== undefined && { max }),
        noNaN: true,
        noDefaultInfinity: true,
      });
    case 'string':
      return drawText(shape, minLength, maxLength);
    case 'array':
      return fc.array(draw(shape.items as Shape), { maxLength: 4 });
    case 'object':
      return drawObject(shape);
    default:
      return fc.uint8Array({ minLength, maxLength });
  }
}

function drawText(shape: Shape, minLength: number, maxLength: number): fc.Arbitrary<string> {
  const { pattern } = shape;
  if (shape === (PeerId as Shape)) return fc.string({ maxLength: 8 }).map(peerId);
  const printable = fc.string({ minLength, maxLength });
  if (pattern === NOT_BLANK || pattern === PLAIN_FILE)
    return printable.map((text) => `x${text}`.slice(0, maxLength));
  if (pattern !== undefined && shape.maxLength === undefined) return fc.stringMatching(new RegExp(pattern));
  return pattern === undefined ? fc.string({ unit: 'grapheme', minLength, maxLength }) : printable;
}

function drawObject({ properties = {}, required = [] }: Shape): fc.Arbitrary<unknown> {
  const drawn = Object.fromEntries(Object.entries(properties).map(([key, part]) => [key, draw(part)]));
  return fc.record(drawn, { requiredKeys: [...required], noNullPrototype: true });
}
