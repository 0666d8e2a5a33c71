import type { Connection, Libp2p } from '@libp2p/interface';
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import { asDialFailure } from './failures.ts';
import { parseTarget } from './target.ts';
import type { JoinFailure } from './types.ts';

/** Dials what a person wrote. Without a peer id in it, whoever answers there is the peer. */
export async function dialTarget(host: Libp2p, target: string): Promise<Outcome<Connection, JoinFailure>> {
  const address = parseTarget(target);
  if (!address.ok) return fail({ code: 'UNREACHABLE', message: address.error });
  try {
    return succeed(await host.dial(address.value));
  } catch (cause) {
    return fail(asDialFailure(target, cause));
  }
}
