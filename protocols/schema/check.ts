/**
 * The door: a value that came from outside is checked by its schema, trimmed to what the schema knows, or refused with
 * a sentence. Unknown keys are dropped, so that a newer version may send more.
 */
import type { TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/schema';
import type { Value } from './fields.ts';
import { fail, type Outcome, succeed } from './outcome.ts';

/** A schema as plain data, as far as this room looks into it. */
interface Shape {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly 'x-expected'?: string;
}

const validators = new WeakMap<TSchema, Validator>();

/** Compiled at its first use: most schemas are never used by a process. */
function validatorOf(schema: TSchema): Validator {
  const known = validators.get(schema);
  if (known !== undefined) return known;
  const made = Compile(schema) as Validator;
  validators.set(schema, made);
  return made;
}

export function isValid<S extends TSchema>(schema: S, value: unknown): value is Value<S> {
  return validatorOf(schema).Check(value);
}

/**
 * The value with the known keys only. Failure: what is wrong, such as `"dispatch.ways" must be a whole number from 1 to
 * 64`.
 */
export function check<S extends TSchema>(schema: S, value: unknown): Outcome<Value<S>, string> {
  if (!validatorOf(schema).Check(value)) return fail(explain(schema, value));
  return succeed((trimOf(schema as Shape)?.(value) ?? value) as Value<S>);
}

/** What is wrong with a value that its schema refuses, as a clause without a full stop. */
export function explain(schema: TSchema, value: unknown): string {
  const wrong = find(schema as Shape, value, []);
  if (wrong === null) return 'the value does not fit';
  const { path, shape, missing } = wrong;
  const where = path.join('.');
  if (missing) return `"${where}" is missing`;
  return `${where === '' ? 'the whole' : `"${where}"`} must be ${expected(shape)}`;
}

interface Wrong {
  readonly path: readonly string[];
  readonly shape: Shape;
  readonly missing?: boolean;
}

/** The first part that its own schema refuses although its parts are fine; of a union by the variant that was meant. */
function find(shape: Shape, value: unknown, path: readonly string[]): Wrong | null {
  const variant = shape.anyOf && variantOf(shape.anyOf, value);
  if (variant) return find(variant, value, path);
  if (shape.properties && isObject(value)) {
    for (const [key, property] of Object.entries(shape.properties)) {
      const isThere = Object.hasOwn(value, key) && value[key] !== undefined;
      if (!isThere && isRequired(shape, key)) return { path: [...path, key], shape: property, missing: true };
      const wrong = isThere ? find(property, value[key], [...path, key]) : null;
      if (wrong) return wrong;
    }
  }
  if (shape.items && Array.isArray(value)) {
    for (const [at, item] of value.entries()) {
      const wrong = find(shape.items, item, [...path, String(at)]);
      if (wrong) return wrong;
    }
  }
  return validatorOf(shape as TSchema).Check(value) ? null : { path, shape };
}

const isRequired = (shape: Shape, key: string): boolean =>
  (shape as { readonly required?: readonly string[] }).required?.includes(key) ?? false;

/**
 * The variant of a union that a value means: null, or the one whose tag it bears; else the only one that isn't null.
 */
function variantOf(variants: readonly Shape[], value: unknown): Shape | undefined {
  const isNull = (shape: Shape): boolean => shape.type === 'null';
  if (value === null) return variants.find(isNull);
  const others = variants.filter((shape) => !isNull(shape));
  if (others.length === 1) return others[0];
  return isObject(value) ? others.find((shape) => bearsTag(shape, value)) : undefined;
}

/** By the first property of the variant, where its tag stands. */
function bearsTag({ properties }: Shape, value: Readonly<Record<string, unknown>>): boolean {
  for (const key in properties) return value[key] === properties[key]?.const;
  return false;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);

/** What a schema wants, to complete `must be …`. */
export function expected(shape: Shape): string {
  if (shape['x-expected'] !== undefined) return shape['x-expected'];
  const variants = shape.anyOf?.filter(({ type }) => type !== 'null');
  if (variants !== undefined) {
    const tags = variants.flatMap(({ properties }) =>
      Object.values(properties ?? {}).flatMap((property) => property.const ?? []),
    );
    if (tags.length > 0) return `an object of one of the types ${tags.join(', ')}`;
    return `${variants.map(expected).join(' or ')}${variants.length < (shape.anyOf?.length ?? 0) ? ' or null' : ''}`;
  }
  if (shape.enum !== undefined) return `one of ${shape.enum.join(', ')}`;
  if (shape.const !== undefined) return JSON.stringify(shape.const);
  switch (shape.type) {
    case 'integer':
      return `a whole number ${range(shape)}`;
    case 'number':
      return `a number ${range(shape)}`;
    case 'string':
      return `a string of ${shape.minLength ?? 0} to ${shape.maxLength ?? 'any number of'} characters${shape.pattern === undefined ? '' : ' without control characters'}`;
    case 'boolean':
      return 'true or false';
    case 'array':
      return shape.maxItems === undefined ? 'a list' : `a list of at most ${shape.maxItems}`;
    default:
      return 'an object';
  }
}

function range({ minimum, exclusiveMinimum, maximum }: Shape): string {
  const from = exclusiveMinimum === undefined ? `from ${minimum ?? 'any'}` : `above ${exclusiveMinimum}`;
  return maximum === undefined ? from : `${from} to ${maximum}`;
}

type Trim = (value: unknown) => unknown;
const trims = new WeakMap<Shape, { readonly trim: Trim | null }>();

/**
 * What drops the keys that a schema doesn't know, from a value that it takes; null where there can be none. Made once.
 */
function trimOf(shape: Shape): Trim | null {
  const known = trims.get(shape);
  if (known !== undefined) return known.trim;
  const trim = makeTrim(shape);
  trims.set(shape, { trim });
  return trim;
}

function makeTrim({ anyOf, items, properties }: Shape): Trim | null {
  if (anyOf !== undefined) {
    if (anyOf.every((variant) => trimOf(variant) === null)) return null;
    return (value) => {
      const variant = variantOf(anyOf, value);
      return (variant && trimOf(variant)?.(value)) ?? value;
    };
  }
  if (items !== undefined) {
    const trim = trimOf(items);
    return trim && ((value) => (value as readonly unknown[]).map(trim));
  }
  if (properties === undefined) return null;
  const fields = Object.entries(properties).map(([key, property]) => [key, trimOf(property)] as const);
  return (value) => {
    const kept: Record<string, unknown> = {};
    for (const [key, trim] of fields) {
      const part = (value as Readonly<Record<string, unknown>>)[key];
      if (part !== undefined) kept[key] = trim === null ? part : trim(part);
    }
    return kept;
  };
}
