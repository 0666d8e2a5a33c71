import { createHmac, timingSafeEqual } from 'node:crypto';
import type { ShownProof } from '../schema/messages.ts';
import { DOMAIN, type ProofParties } from './index.ts';

export interface ProofNonces {
  readonly dialler: Uint8Array;
  readonly answerer: Uint8Array;
}

/** What `role` shows to prove that it knows `token`. */
export function proofMac(
  token: Uint8Array,
  role: 'dialler' | 'answerer',
  parties: ProofParties,
  nonces: ProofNonces,
): Uint8Array {
  const hmac = createHmac('sha256', token);
  const fields = [
    DOMAIN,
    role,
    parties.dialler,
    parties.answerer,
    nonces.dialler,
    nonces.answerer,
    parties.purpose,
  ];
  for (const field of fields) {
    const bytes = typeof field === 'string' ? Buffer.from(field, 'utf8') : field;
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hmac.update(length).update(bytes);
  }
  return hmac.digest();
}

/** Compares in constant time. */
export function sameMac(expected: Uint8Array, shown: Uint8Array): boolean {
  return expected.length === shown.length && timingSafeEqual(expected, shown);
}

/** Whether a dialler that showed this knows `token`: for the answerer, and for whom the answerer passes it on to. */
export function isProof(token: Uint8Array, parties: ProofParties, { mac, ...nonces }: ShownProof): boolean {
  return sameMac(proofMac(token, 'dialler', parties, nonces), mac);
}
