/** What follows from the text of a token: its id, and what a cluster keeps of it to know its bearer by. */
import { createHash } from 'node:crypto';
import type { TokenId } from '../schema/token.ts';

const sha256 = (purpose: string, token: string): Buffer =>
  createHash('sha256').update(`${purpose}\0${token}`).digest();

/** The same text gives other values as an id and as a key, so that an id tells nothing of the key. */
export const tokenId = (token: string): TokenId =>
  sha256('fsched token id', token).toString('hex').slice(0, 16);
export const joinKey = (token: string): Uint8Array => Uint8Array.from(sha256('fsched join key', token));
export const apiTokenHash = (token: string): string => sha256('fsched api token', token).toString('hex');
