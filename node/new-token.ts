/** Texts of new tokens. */
import type { Random } from './ports.ts';

/** By them people, and programs that look for leaked secrets, know what they have found. */
const PREFIXES = { api: 'fsa_', join: 'fsj_' } as const;
export type TokenKind = keyof typeof PREFIXES;

/** 256 random bits. */
export const newToken = (kind: TokenKind, random: Random): string =>
  `${PREFIXES[kind]}${random.id()}${random.id()}`;
