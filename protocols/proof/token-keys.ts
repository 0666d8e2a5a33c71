/** What follows from the text of a token: its id, and what a cluster keeps of it to know its bearer by. */
import { createHash } from 'node:crypto';
import type { TokenId } from '../schema/token.ts';
import type { TokenCredential } from './index.ts';
import { publicKeyOf } from './signature.ts';

const sha256 = (purpose: string, token: string): Buffer =>
  createHash('sha256').update(`${purpose}\0${token}`).digest();

/** The same text gives other values as an id and as a key, so that an id tells nothing of the key. */
export const tokenId = (token: string): TokenId =>
  sha256('fsched token id', token).toString('hex').slice(0, 16);
/** What the bearer of a join token signs by. */
export const joinCredential = (token: string): TokenCredential => ({
  bearer: { type: 'token', id: tokenId(token) },
  seed: Uint8Array.from(sha256('fsched join key', token)),
});
/** The public key that goes with it: members check the bearer's signature by it, and can't make one. */
export const joinKey = (token: string): Uint8Array => publicKeyOf(joinCredential(token).seed);
export const apiTokenHash = (token: string): string => sha256('fsched api token', token).toString('hex');
