/** What a person is told whose join token doesn't hold any more, wherever that is found out. */
import type { ProofRefusal } from '../protocols/schema/messages.ts';

const ANOTHER = 'make another on a member with: fsched token create --join';

export const TOKEN_ADVICE = {
  REVOKED: `the join token was revoked; ${ANOTHER}`,
  EXPIRED: `the join token has expired; ${ANOTHER}`,
  USED_UP: `the join token has let in as many nodes as it may; ${ANOTHER}`,
} as const satisfies Partial<Record<ProofRefusal, string>>;

export const isTokenFault = (code: string): code is keyof typeof TOKEN_ADVICE => code in TOKEN_ADVICE;
