/** The two halves of a proof, as bytes. */
import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto';
import type { ShownProof } from '../schema/messages.ts';
import { type Credential, DOMAIN, type ProofParties } from './index.ts';

export interface ProofNonces {
  readonly dialler: Uint8Array;
  readonly answerer: Uint8Array;
}

type Role = 'dialler' | 'answerer';

/** What stands before the 32 bytes of an Ed25519 key in DER (RFC 8410). */
const PRIVATE_KEY = Buffer.from('302e020100300506032b657004220420', 'hex');
const PUBLIC_KEY = Buffer.from('302a300506032b6570032100', 'hex');

const privateKeyOf = (seed: Uint8Array): KeyObject =>
  createPrivateKey({ key: Buffer.concat([PRIVATE_KEY, seed]), format: 'der', type: 'pkcs8' });

/** The public key that goes with a seed. */
export function publicKeyOf(seed: Uint8Array): Uint8Array {
  const der = createPublicKey(privateKeyOf(seed)).export({ format: 'der', type: 'spki' });
  return Uint8Array.from(der.subarray(PUBLIC_KEY.length));
}

/** All that a proof is bound to, each field behind its length. */
export function transcriptOf(role: Role, parties: ProofParties, nonces: ProofNonces): Uint8Array {
  const { dialler, answerer, purpose, about } = parties;
  const fields = [DOMAIN, role, dialler, answerer, nonces.dialler, nonces.answerer, purpose, about];
  const parts = fields.flatMap((field) => {
    const bytes = typeof field === 'string' ? Buffer.from(field, 'utf8') : field;
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return [length, bytes];
  });
  return Buffer.concat(parts);
}

/** What the bearer shows. */
export const signatureOf = ({ seed }: Credential, transcript: Uint8Array): Uint8Array =>
  Uint8Array.from(sign(null, transcript, privateKeyOf(seed)));

/** What a member shows that knows the bearer's public key. */
export const macOf = (key: Uint8Array, transcript: Uint8Array): Uint8Array =>
  createHmac('sha256', key).update(transcript).digest();

/** Compares in constant time. */
export const isMac = (key: Uint8Array, transcript: Uint8Array, shown: Uint8Array): boolean => {
  const expected = macOf(key, transcript);
  return expected.length === shown.length && timingSafeEqual(expected, shown);
};

export function isSignature(key: Uint8Array, transcript: Uint8Array, shown: Uint8Array): boolean {
  const der = Buffer.concat([PUBLIC_KEY, key]);
  return verify(null, transcript, createPublicKey({ key: der, format: 'der', type: 'spki' }), shown);
}

/** Whether the dialler of `parties` showed this to the answerer: for whom the answerer passes it on to. */
export const isProof = (
  key: Uint8Array,
  parties: ProofParties,
  { signature, ...nonces }: Pick<ShownProof, 'dialler' | 'answerer' | 'signature'>,
): boolean => isSignature(key, transcriptOf('dialler', parties, nonces), signature);

/** Of a request, for `about`. */
export const digestOf = (bytes: Uint8Array): Uint8Array =>
  Uint8Array.from(createHash('sha256').update(bytes).digest());
