/** Which cluster this node belongs to, and whom it knew last: what it needs before its log is read. */
import Type from 'typebox';
import {
  ClusterId,
  listOf,
  MAX_MEMBERS,
  nullable,
  PeerId,
  type Value,
} from '../../protocols/schema/fields.ts';
import { KnownPeer } from '../../protocols/schema/member.ts';
import { decode, encode } from '../../protocols/wire/codec.ts';
import type { LogStore } from '../consensus/log-store.ts';

const Format1 = Type.Object({
  format: Type.Literal(1),
  clusterId: ClusterId,
  /** True on the node that made the cluster: it alone may write the first log entry. */
  founder: Type.Boolean(),
  peers: listOf(KnownPeer, MAX_MEMBERS),
  /**
   * True once this node knows that it was removed. The log alone may not say so at the next start: that its last entry
   * is committed is written down only with the entry after it, which a removed node isn't sent.
   */
  removed: Type.Boolean(),
});

const ClusterIdentity = Type.Object({
  ...Format1.properties,
  /** Of what lies on disk; a change of the format takes the next and goes on reading these. */
  format: Type.Literal(2),
  /** Who let this node in: whom it believes while its log is empty. Null: nobody, or it isn't known. */
  introducer: nullable(PeerId),
});
export type ClusterIdentity = Omit<Value<typeof ClusterIdentity>, 'format'>;

type Store = Pick<LogStore, 'get' | 'put'>;
const KEY = 'cluster';

export class ClusterIdentityError extends Error {
  override readonly name = 'ClusterIdentityError';
  readonly code = 'DAMAGED';

  constructor(cause: unknown) {
    super(
      'what the data directory says of its cluster is damaged; remove the whole directory and join the cluster anew',
      { cause },
    );
  }
}

/** Null on a node that was in no cluster yet. @throws ClusterIdentityError */
export async function loadIdentity(store: Store): Promise<ClusterIdentity | null> {
  const bytes = await store.get(KEY);
  if (bytes === null) return null;
  try {
    const { format: _, ...identity } = decode(Type.Union([ClusterIdentity, Format1]), bytes);
    return { introducer: null, ...identity };
  } catch (cause) {
    throw new ClusterIdentityError(cause);
  }
}

export async function saveIdentity(store: Store, identity: ClusterIdentity): Promise<void> {
  await store.put(KEY, encode(ClusterIdentity, { format: 2, ...identity }));
}
