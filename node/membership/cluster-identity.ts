/** Which cluster this node belongs to, and whom it knew last: what it needs before its log is read. */
import Type from 'typebox';
import { Check } from 'typebox/value';
import type { KnownPeer } from '../mesh/types.ts';

export interface ClusterIdentity {
  readonly clusterId: string;
  /** True on the node that made the cluster: it alone may write the first log entry. */
  readonly founder: boolean;
  readonly peers: readonly KnownPeer[];
  /**
   * True once this node knows that it was removed. The log alone may not say so at the next start: that its last entry is
   * committed is written down only with the entry after it, which a removed node isn't sent.
   */
  readonly removed?: boolean;
}

const Schema = Type.Object({
  clusterId: Type.String({ minLength: 1 }),
  founder: Type.Boolean(),
  peers: Type.Array(Type.Object({ id: Type.String(), addresses: Type.Array(Type.String()) })),
  removed: Type.Optional(Type.Boolean()),
});

export class ClusterIdentityError extends Error {
  override readonly name = 'ClusterIdentityError';
  readonly code = 'DAMAGED';

  constructor(cause?: unknown) {
    super(
      'what the data directory says of its cluster is damaged; remove the whole directory and join the cluster anew',
      { cause },
    );
  }
}

export function encodeIdentity(identity: ClusterIdentity): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(identity));
}

/** @throws ClusterIdentityError */
export function decodeIdentity(bytes: Uint8Array): ClusterIdentity {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new ClusterIdentityError(cause);
  }
  if (Check(Schema, value)) return value;
  throw new ClusterIdentityError();
}
