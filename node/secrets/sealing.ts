/**
 * Sealing: AES-256-GCM (NIST SP 800-38D) under the cluster's key. What it is sealed for is authenticated with it, so
 * that who may write the log can't move a secret into a task of their own, nor give it another name.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import type { KeyId, SealedSecret, Secret } from '../../protocols/schema/secret.ts';

const CIPHER = 'aes-256-gcm';
/** Random ones are safe for 2^32 secrets a key (SP 800-38D, 8.3). */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** For what a secret is sealed. */
export type Owner = `task ${string}` | `run ${string}`;

export function keyIdOf(key: Uint8Array): KeyId {
  return createHash('sha256').update('fsched cluster key\0').update(key).digest('hex').slice(0, 32);
}

export function seal(key: Uint8Array, owner: Owner, { name, value }: Secret): SealedSecret {
  const keyId = keyIdOf(key);
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(bound(owner, name, keyId));
  const hidden = Buffer.concat([cipher.update(value), cipher.final()]);
  const box = Buffer.concat([nonce, cipher.getAuthTag(), hidden]).toString('base64');
  return { name, size: value.length, sealed: { keyId, box } };
}

/** Null when it isn't what was sealed, for this owner under this name and key. */
export function open(key: Uint8Array, owner: Owner, { name, size, sealed }: SealedSecret): Secret | null {
  if (sealed === null) return null;
  const box = Buffer.from(sealed.box, 'base64');
  if (box.length !== NONCE_BYTES + TAG_BYTES + size) return null;
  const decipher = createDecipheriv(CIPHER, key, box.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(bound(owner, name, sealed.keyId));
  decipher.setAuthTag(box.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
  try {
    const hidden = box.subarray(NONCE_BYTES + TAG_BYTES);
    return { name, value: Uint8Array.from(Buffer.concat([decipher.update(hidden), decipher.final()])) };
  } catch {
    return null;
  }
}

/** None of them has a NUL. */
const bound = (owner: Owner, name: string, keyId: KeyId): Buffer =>
  Buffer.from(['fsched secret 1', owner, name, keyId].join('\0'));
