/**
 * Nouns as the JSON of REST: keys in snake_case, moments (`…AtMs`, `atMs`, `sinceMs`) in RFC 3339 without the unit in the key.
 * The schema of an answer comes from the noun's own, so that a new field of a noun is told, and documented, by itself.
 */
import type { Static, TNull, TProperties, TSchema, TUnion, TUnsafe } from 'typebox';
import { nullable } from '../../protocols/schema/fields.ts';

type Snake<S extends string> = S extends `${infer Head}${infer Tail}`
  ? `${Head extends Lowercase<Head> ? Head : `_${Lowercase<Head>}`}${Snake<Tail>}`
  : S;
type MomentKey = `${string}AtMs` | 'atMs' | 'sinceMs';
type JsonKey<K> = K extends MomentKey
  ? K extends `${infer Name}Ms`
    ? Snake<Name>
    : never
  : K extends string
    ? Snake<K>
    : never;

export type Json<T> = T extends readonly (infer E)[]
  ? Json<E>[]
  : T extends object
    ? { -readonly [K in keyof T as JsonKey<K>]: JsonField<K, T[K]> }
    : T;
type JsonField<K, T> = K extends MomentKey ? Exclude<T, number> | string : Json<T>;
type JsonProperties<P extends TProperties> = {
  [K in keyof P as JsonKey<K>]: TUnsafe<JsonField<K, Static<P[K]>>>;
};

const isMoment = (key: string): boolean => /(^at|^since|.At)Ms$/.test(key);
/** Nouns have few keys, and lists of them many: each is put into snake_case once. */
const jsonKeys = new Map<string, string>();
function jsonKey(key: string): string {
  const known = jsonKeys.get(key);
  if (known !== undefined) return known;
  const name = isMoment(key) ? key.slice(0, -2) : key;
  const json = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  jsonKeys.set(key, json);
  return json;
}

/** RFC 3339 in UTC with milliseconds. */
export const timestamp = (epochMs: number): string => new Date(epochMs).toISOString();

export function toJson<T>(value: T): Json<T> {
  if (Array.isArray(value)) return value.map((item) => toJson(item)) as Json<T>;
  if (typeof value !== 'object' || value === null) return value as Json<T>;
  const json: Record<string, unknown> = {};
  for (const [key, part] of Object.entries(value)) {
    json[jsonKey(key)] = typeof part === 'number' && isMoment(key) ? timestamp(part) : toJson(part);
  }
  return json as Json<T>;
}

/** The schema of `toJson` of what `schema` describes. Bounds are left out: they are for what comes in. */
export function jsonOf<S extends TSchema>(schema: S): TUnsafe<Json<Static<S>>> {
  return describe(schema as Described) as unknown as TUnsafe<Json<Static<S>>>;
}

export function jsonProperties<P extends TProperties>(properties: P): JsonProperties<P> {
  return describeProperties(properties as unknown as Described['properties'] & object) as JsonProperties<P>;
}

/** The same properties, each or null: where nothing is known yet. */
export const nullableProperties = <P extends TProperties>(
  properties: P,
): { [K in keyof P]: TUnion<[P[K], TNull]> } =>
  Object.fromEntries(
    Object.entries(properties).map(([key, property]) => [key, nullable(property)]),
  ) as unknown as { [K in keyof P]: TUnion<[P[K], TNull]> };

interface Described {
  readonly properties?: Readonly<Record<string, Described>>;
  readonly items?: Described;
  readonly anyOf?: readonly Described[];
}

const KEPT = ['type', 'enum', 'const', 'required', 'description'];

function describe(schema: Described): TSchema {
  const told: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(schema)) if (KEPT.includes(key)) told[key] = value;
  if (schema.items) told.items = describe(schema.items);
  if (schema.anyOf) told.anyOf = schema.anyOf.map(describe);
  if (schema.properties) {
    told.properties = describeProperties(schema.properties);
    told.required = (told.required as readonly string[] | undefined)?.map(jsonKey) ?? [];
  }
  return told as TSchema;
}

const describeProperties = (properties: Readonly<Record<string, Described>>): Record<string, TSchema> =>
  Object.fromEntries(
    Object.entries(properties).map(([key, property]) => [
      jsonKey(key),
      isMoment(key) ? describeMoment(property) : describe(property),
    ]),
  );

function describeMoment({ anyOf, ...property }: Described): TSchema {
  const { description } = property as { readonly description?: string };
  const told = {
    type: 'string',
    format: 'date-time',
    ...(description === undefined ? {} : { description }),
  };
  return (anyOf === undefined ? told : { anyOf: [told, { type: 'null' }] }) as TSchema;
}
