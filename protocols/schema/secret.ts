/** Secrets of functions: as they are handed in and out, as the log keeps them, and the key that they are sealed under. */
import Type from 'typebox';
import { bytes, listOf, nullable, type Value, whole } from './fields.ts';

/** Of each. */
export const MAX_SECRET_BYTES = 64 * 1024;
/** Of all of a task, or of a run: they travel in the log, which every voter keeps. */
export const MAX_SECRETS_BYTES = 256 * 1024;
export const MAX_SECRETS = 32;

export const SECRET_NAME_RULE = 'a letter or "_", then up to 63 letters, digits, "_", "." or "-"';
/** Also the name of the file that the program reads it from. */
export const SecretName = Type.String({
  pattern: '^[A-Za-z_][A-Za-z0-9_.-]{0,63}$',
  description: 'Name of a secret.',
  'x-expected': SECRET_NAME_RULE,
  examples: ['DB_PASSWORD'],
});

export const Secret = Type.Object({ name: SecretName, value: bytes(MAX_SECRET_BYTES) });
/** On its way to a program; never in the log, on a disk, or shown to anybody. */
export type Secret = Value<typeof Secret>;

export const KEY_BYTES = 32;
/** Never in the log either: only its id is. */
export const ClusterKey = bytes(KEY_BYTES, KEY_BYTES);

/** It follows from the key, so that no other key can be taken for it. */
export const KeyId = Type.String({ pattern: '^[0-9a-f]{32}$', 'x-expected': 'the id of a cluster key' });
export type KeyId = Value<typeof KeyId>;

const SealedSecret = Type.Object({
  name: SecretName,
  size: whole({ maximum: MAX_SECRET_BYTES }),
  /** `box`: nonce, tag and ciphertext in base64. Null: of a run that is over, which nobody runs again. */
  sealed: nullable(Type.Object({ keyId: KeyId, box: Type.String({ maxLength: 2 * MAX_SECRET_BYTES }) })),
});
/** As the log and the tables keep it. It opens only for the task or run that it was sealed for. */
export type SealedSecret = Value<typeof SealedSecret>;
export const SealedSecrets = listOf(SealedSecret, MAX_SECRETS);
