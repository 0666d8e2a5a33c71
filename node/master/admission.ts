/** Who may put which row into the members table by a call to the master. */
import type { ControlRequest, ControlResponse, ShownProof } from '../../protocols/schema/messages.ts';
import { isDialable } from '../addresses.ts';
import type { NodeId } from '../consensus/types.ts';
import type { Mesh } from '../mesh/types.ts';
import type { Tables } from '../state/tables.ts';

export interface AdmissionDependencies {
  readonly mesh: Pick<Mesh, 'id'>;
  readonly tables: Pick<Tables, 'member'>;
  /** Whether `joiner` showed `answerer` that it knows the cluster's join token. */
  readonly provesToken: (joiner: NodeId, answerer: NodeId, proof: ShownProof) => boolean;
}

type Refusal = Extract<ControlResponse, { readonly type: 'refused' }>;
const refuse = (code: string, message: string): Refusal => ({ type: 'refused', code, message });

/**
 * A member speaks for itself alone. For who isn't one yet speaks the proof that it showed: the word of the member who
 * answered it would let each member admit anybody. Null: it may.
 */
export function refuseAdmission(
  from: NodeId,
  request: Extract<ControlRequest, { readonly type: 'admit' | 'admit-joiner' }>,
  { mesh, tables, provesToken }: AdmissionDependencies,
): Refusal | null {
  const { id, addresses } = request.member;
  if (!addresses.every(isDialable)) {
    return refuse(
      'BAD_ADDRESS',
      'an address of the mesh is a multiaddr of TCP such as /ip4/192.0.2.1/tcp/8300',
    );
  }
  if (request.type === 'admit-joiner') {
    return provesToken(id, from, request.proof)
      ? null
      : refuse('NOT_PROVED', `node ${id} has not proved to ${from} that it knows the join token`);
  }
  // The founder of a cluster, its master, stands in no table before it has put itself there.
  const isKnown = from === mesh.id || tables.member(from) !== undefined;
  if (id === from && isKnown) return null;
  return refuse('NOT_YOURSELF', 'a member can change its own name and addresses only');
}
