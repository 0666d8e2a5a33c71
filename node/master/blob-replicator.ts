/**
 * Puts a file that lies on this node's shelf onto the disks of a majority of the voters: only then may what
 * refers to it be committed. The other voters fetch it by themselves (`node/store/blob-keeper.ts`).
 */

import { type Answer, fail } from '../../protocols/schema/outcome.ts';
import type { Configuration, NodeId } from '../consensus/types.ts';
import type { Mesh } from '../mesh/types.ts';
import type { Logger } from '../ports.ts';
import { storeOnMajority } from './majority.ts';

export interface BlobReplicatorDependencies {
  readonly self: NodeId;
  readonly configuration: () => Configuration;
  readonly pushBlob: Mesh['pushBlob'];
  readonly logger: Logger;
}

export class BlobReplicator {
  readonly #deps: BlobReplicatorDependencies;

  constructor(dependencies: BlobReplicatorDependencies) {
    this.#deps = dependencies;
  }

  /** Resolves as soon as a majority has it; the pushes still under way go on. */
  async replicate(sha256: string): Promise<Answer<void>> {
    const { voters } = this.#deps.configuration();
    const outcome = await storeOnMajority({ voters, self: this.#deps.self }, (voter) =>
      this.#push(voter, sha256),
    );
    if (outcome.ok) return outcome;
    return fail({
      code: 'UNAVAILABLE',
      message: `the file ${outcome.error}; nothing was changed, try again`,
      retryAfterSeconds: 2,
    });
  }

  /** Null once it is there, or why it isn't. */
  async #push(voter: NodeId, sha256: string): Promise<string | null> {
    const outcome = await this.#deps.pushBlob(voter, sha256);
    if (outcome.ok) return null;
    const reason = outcome.error.message;
    this.#deps.logger.warn({ peer: voter, sha256, reason }, 'blob push failed');
    return reason;
  }
}
