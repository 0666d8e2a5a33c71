/**
 * The building blocks of the nouns: numbers, texts and ids with their bounds. A bound stands here, or in the noun that
 * it belongs to, and nowhere else: REST, gossip, calls, joins, files and the log refuse by it alike.
 */
import Type, { type Static, type TSchema } from 'typebox';
import { NOT_BLANK, PLAIN_FILE, PLAIN_TEXT } from './text.ts';

/** The value that a schema describes; nobody may change it. */
export type Value<S extends TSchema> = Frozen<Static<S>>;
type Frozen<T> = T extends Uint8Array
  ? T
  : T extends readonly (infer E)[]
    ? readonly Frozen<E>[]
    : T extends object
      ? { readonly [K in keyof T]: Frozen<T[K]> }
      : T;

/**
 * What a schema may say of itself: `description` for people who read the API, `x-expected` completes `"key" must be …`.
 */
export interface Saying {
  readonly description?: string;
  readonly 'x-expected'?: string;
  readonly examples?: unknown[];
}

/** Resctrl's masks have at most 32 bits; simulated caches are cut into up to 64 ways. */
export const MAX_WAYS = 64;
export const MAX_DOMAINS = 1024;
export const MAX_MEMBERS = 4096;
export const MAX_ADDRESSES = 64;
/** Of these a node tells the most useful; each change is kept in the log of all for ever. */
export const MAX_TOLD_ADDRESSES = 16;
export const MAX_CPUS = 8192;
export const MAX_COMMAND_BYTES = 4096;
/** Parameters travel in the log, which every voter keeps. */
export const MAX_PARAMETERS_BYTES = 256 * 1024;
/** Both streams of a run travel to the master in one call. */
export const MAX_OUTPUT_BYTES = 3 * 1024 ** 2;
/** Larger outputs are files: they would make the log, which every voter keeps, heavy. */
export const INLINE_OUTPUT_BYTES = 16 * 1024;
/** The largest size of an input: what JavaScript counts exactly. */
export const MAX_INPUT_SIZE = Number.MAX_SAFE_INTEGER;
/** Of functions, files and their like. */
export const MAX_NAME_BYTES = 255;
/** A week. */
export const MAX_TIME_LIMIT_MS = 7 * 86_400_000;

const MAX = Number.MAX_SAFE_INTEGER;
/** The last moment that a JavaScript date can show. */
const MAX_DATE_MS = 8_640_000_000_000_000;

/** A whole number. @default minimum 0, maximum 2^53 - 1 */
export const whole = (options: Saying & { readonly minimum?: number; readonly maximum?: number } = {}) =>
  Type.Integer({ minimum: 0, maximum: MAX, ...options });
/** A finite number, not negative. */
export const amount = (options: Saying & { readonly minimum?: number; readonly maximum?: number } = {}) =>
  Type.Number({ minimum: 0, ...options });
/** Milliseconds since the Unix epoch. */
export const moment = (options: Saying = {}) => whole({ maximum: MAX_DATE_MS, ...options });
export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
export const oneOf = <const T extends string[]>(values: readonly [...T], options: Saying = {}) =>
  Type.Enum([...values] as [...T], { ...options });
export const listOf = <T extends TSchema>(item: T, maxItems: number, options: Saying = {}) =>
  Type.Array(item, { maxItems, ...options });

/** Text of at least one character and no control characters, for names. */
export const name = (maxLength: number, options: Saying = {}) =>
  Type.String({ minLength: 1, maxLength, pattern: PLAIN_TEXT, ...options });
/** Text for people: it may have any characters, so who prints it cleans it. */
export const sentence = (options: Saying & { readonly maxLength?: number } = {}) =>
  Type.String({ maxLength: 65_536, ...options });
/** As the machine tells it. */
export const CpuModel = Type.String({ maxLength: 1024 });
/** Bytes; JSON has none, so these never meet REST. */
export const bytes = (maxLength: number, minLength = 0) =>
  Type.Refine(
    Type.Unsafe<Uint8Array>({
      minLength,
      maxLength,
      'x-expected': `${minLength} to ${maxLength} bytes`,
    }),
    (value) => value instanceof Uint8Array && value.length >= minLength && value.length <= maxLength,
    () => 'must be bytes',
  );

/** Of a node in messages and tables, which only compare it. Simulated nodes are called a, b, c. */
export const NodeId = Type.String({
  pattern: '^[A-Za-z0-9_-]{1,128}$',
  description: 'The libp2p peer id of a node.',
  'x-expected': 'the peer id of a node',
});
export type NodeId = Value<typeof NodeId>;

/** In base58, whose digits are in the order of ASCII, the ids of all Ed25519 keys lie between these two. */
const FIRST_PEER = '12D3KooW9pNAk8aiBuGVQtWRdbkLmo5qVL3e2h5UxbN2Nz9ttwiw';
const LAST_PEER = '12D3KooWT3gYEvLJyx1FyyHqrmvdy1tMjpgxmu9aSeKMEuafQtyC';

/** Of a node that is to be dialled: libp2p throws at what is no id. */
export const PeerId = Type.Refine(
  Type.String({
    pattern: `^[1-9A-HJ-NP-Za-km-z]{${FIRST_PEER.length}}$`,
    description: 'The libp2p peer id of an Ed25519 key.',
    'x-expected': 'a peer id such as 12D3KooW…',
  }),
  (id) => id >= FIRST_PEER && id <= LAST_PEER,
  () => 'must be a peer id',
);

export const Sha256 = Type.String({
  pattern: '^[0-9a-f]{64}$',
  description: 'SHA-256 of the bytes, in hexadecimal.',
  'x-expected': '64 lower-case hexadecimal digits',
  examples: ['9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'],
});

export const id = (what: string) =>
  name(128, {
    description: `Id of the ${what}.`,
    examples: ['3f1c9a52d0e84b6f9d2a7c15e8b04d63'],
  });
export const RunId = id('run');
export const TaskId = id('task');
export const ClusterId = id('cluster');

export const Command = Type.String({
  minLength: 1,
  maxLength: MAX_COMMAND_BYTES,
  pattern: NOT_BLANK,
  description:
    'Program and arguments, split as a shell would; started as COMMAND FILE INPUT_SIZE without a shell.',
  'x-expected': `a string of 1 to ${MAX_COMMAND_BYTES} bytes that is not blank and has no control characters`,
  examples: ['python3'],
});

/** Name of a task, for people. */
export const FunctionName = name(MAX_NAME_BYTES, { examples: ['quick_sort'] });

export const FileName = Type.String({
  minLength: 1,
  maxLength: MAX_NAME_BYTES,
  pattern: PLAIN_FILE,
  'x-expected': 'the plain name of a file, without a path',
});

export const InputSize = whole({
  description: 'Size of the input, handed to the program as its last argument.',
  examples: [1024],
});
export const Ways = whole({ minimum: 1, maximum: MAX_WAYS, description: 'Ways of last-level cache.' });
export const WayBytes = whole({ minimum: 1, maximum: 2 ** 40, description: 'Bytes of one way.' });
/** Bit n is way n. */
export const WayMask = (options: Saying = {}) => whole({ maximum: 0xffff_ffff, ...options });
export const DomainId = whole({ maximum: 0xffff_ffff, description: 'Id of an LLC domain of its node.' });
export const Term = whole({ description: 'Raft term.' });
export const Attempt = whole({ maximum: 1_000_000, description: 'Number of the attempt, from 1.' });
export const Cpus = listOf(whole({ maximum: 0xffff_ffff }), MAX_CPUS, { description: 'Ids of CPUs.' });
export const TimeLimitMs = whole({ maximum: 200 * MAX_TIME_LIMIT_MS });
export const MaxSlowdown = Type.Number({
  minimum: 1,
  maximum: 100,
  description:
    'How much slower than with the whole last-level cache the run may be: 1.05 allows 5 %. It gets the fewest ways that surely keep to it, and more while they are free.',
  examples: [1.05],
});
export const Addresses = listOf(name(512), MAX_ADDRESSES, {
  description: 'Multiaddrs of the mesh without /p2p, most useful first.',
});
/** As a node tells its own. The longest has the longest name of a host. */
export const ToldAddresses = listOf(name(300), MAX_TOLD_ADDRESSES);
