/** The first join token of a cluster, which lies in a file of who founded it. */
import type { JoinToken } from '../../protocols/schema/token.ts';
import type { NodeId } from '../consensus/types.ts';
import type { Clock, Logger } from '../ports.ts';
import type { Tables } from '../state/tables.ts';
import type { Propose } from './propose.ts';

export interface FoundingTokenOptions {
  /** How long the founding token lets nodes in; null: until it is revoked. */
  readonly foundingTokenTtl: number | null;
}

export interface FoundingTokenDependencies {
  readonly self: NodeId;
  readonly tables: Pick<Tables, 'tokens'>;
  /** The join token that this node was given or has made, by its keys; null: none. */
  readonly ownToken: Pick<JoinToken, 'id' | 'key'> | null;
  readonly propose: Propose;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Puts this node's own token into the log where there is none yet: in a new cluster, and in one whose log was begun
 * before tokens were kept there. Whatever becomes of it, the next master tries again.
 */
export async function putFoundingToken(
  { foundingTokenTtl: ttlMs }: FoundingTokenOptions,
  { self, tables, ownToken, propose, clock, logger }: FoundingTokenDependencies,
): Promise<void> {
  if (ownToken === null || tables.tokens.joinTokens().length > 0) return;
  const createdAtMs = clock.nowMs();
  const token: JoinToken = {
    ...ownToken,
    name: 'founding',
    createdAtMs,
    createdBy: `node ${self}`,
    expiresAtMs: ttlMs === null ? null : createdAtMs + ttlMs,
    revokedAtMs: null,
    role: 'voter',
    uses: null,
    used: 0,
  };
  const outcome = await propose({ type: 'join-token-put', token, replaces: null });
  if (outcome.ok && outcome.value.ok) logger.info({ token: token.id, ttlMs }, 'founding token lets nodes in');
}
