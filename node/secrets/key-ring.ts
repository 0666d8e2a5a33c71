/**
 * The keys of the cluster that this node holds, in `DATA-DIR/cluster-key`: the one that secrets are sealed under, older
 * ones as long as something is sealed under them, and one that the master is about to bring into use. Oldest first.
 */
import { readFile } from 'node:fs/promises';
import Type from 'typebox';
import { check } from '../../protocols/schema/check.ts';
import { KEY_BYTES, type KeyId } from '../../protocols/schema/secret.ts';
import { writeDurably } from '../durable-file.ts';
import { Turns } from '../turns.ts';
import { keyIdOf } from './sealing.ts';

/** Of what lies on disk; a change of the format takes the next and goes on reading this. */
const KeyFile = Type.Object({
  format: Type.Literal(1),
  keys: Type.Array(Type.String({ pattern: `^[0-9a-f]{${2 * KEY_BYTES}}$` })),
});

export class KeyRingError extends Error {
  override readonly name = 'KeyRingError';
  readonly code = 'DAMAGED';
}

type Keys = ReadonlyMap<KeyId, Uint8Array>;

export class KeyRing {
  readonly #file: string;
  #keys: Keys;
  /** Each change is made of what the one before it left. */
  readonly #changes = new Turns();

  private constructor(file: string, keys: Keys) {
    this.#file = file;
    this.#keys = keys;
  }

  /** @throws KeyRingError, or the system's error */
  static async open(file: string): Promise<KeyRing> {
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    return new KeyRing(file, text === null ? new Map() : parse(file, text));
  }

  /** Oldest first. */
  ids(): readonly KeyId[] {
    return [...this.#keys.keys()];
  }

  key(id: KeyId): Uint8Array | null {
    return this.#keys.get(id) ?? null;
  }

  /**
   * Resolves once it is on disk.
   * @param isOld one that others came after: it is forgotten with its like
   */
  keep(key: Uint8Array, { isOld = false } = {}): Promise<void> {
    const id = keyIdOf(key);
    return this.#change((keys) => {
      if (keys.has(id)) return keys;
      return new Map(isOld ? [[id, key], ...keys] : [...keys, [id, key]]);
    });
  }

  /** Forgets the keys before the current one that nothing is sealed under; those after it are yet to be used. */
  forgetOld(current: KeyId, inUse: ReadonlySet<KeyId>): Promise<void> {
    return this.#change((keys) => {
      const at = [...keys.keys()].indexOf(current);
      if (at < 0) return keys;
      const kept = [...keys].filter(([id], index) => index >= at || inUse.has(id));
      return kept.length === keys.size ? keys : new Map(kept);
    });
  }

  /** For a node that is no member any more. */
  forgetAll(): Promise<void> {
    return this.#change((keys) => (keys.size === 0 ? keys : new Map()));
  }

  #change(next: (keys: Keys) => Keys): Promise<void> {
    return this.#changes.take(async () => {
      const keys = next(this.#keys);
      if (keys === this.#keys) return;
      const hex = [...keys.values()].map((key) => Buffer.from(key).toString('hex'));
      await writeDurably(this.#file, `${JSON.stringify({ format: 1, keys: hex })}\n`);
      this.#keys = keys;
    });
  }
}

function parse(file: string, text: string): Keys {
  let found: unknown = null;
  try {
    found = JSON.parse(text);
  } catch {
    // Refused below; the parser's own words would have pieces of keys in them.
  }
  const known = check(KeyFile, found);
  if (!known.ok) {
    throw new KeyRingError(
      `the keys of the cluster in ${file} can't be read (damaged, or of a newer version): remove the file, and this node gets them from other members; where it is the only one, hand the secrets in again`,
    );
  }
  const keys = known.value.keys.map((hex) => Uint8Array.from(Buffer.from(hex, 'hex')));
  return new Map(keys.map((key) => [keyIdOf(key), key]));
}
