/** Asks a node for its own view over libp2p, which is heavy and therefore loaded only here and by `start`. */
import type { inspectPeer as InspectPeer } from '../node/mesh/strangers.ts';

export async function inspectPeer(target: string, token: Uint8Array): ReturnType<typeof InspectPeer> {
  const client = await import('../node/mesh/strangers.ts');
  return client.inspectPeer(target, token);
}
