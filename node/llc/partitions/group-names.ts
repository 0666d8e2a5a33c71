/** Names of our groups in resctrl: whose they are can be told after a crash, and by people. */
import { createHash } from 'node:crypto';

const FAMILY = 'fsched-';

export class GroupNames {
  readonly prefix: string;
  readonly pool: string;

  /** @param nodeId peer id of this node */
  constructor(nodeId: string) {
    this.prefix = `${FAMILY}${digest(nodeId, 8)}-`;
    this.pool = `${this.prefix}pool`;
  }

  /** `fsched-1a2b3c4d-RUN-ATTEMPT`. A run id that a file name can't bear is hashed. */
  of(runId: string, attempt: number): string {
    const name = /^[\w-]{1,64}$/.test(runId) ? runId : digest(runId, 32);
    return `${this.prefix}${name}-${attempt}`;
  }

  isOurs(group: string): boolean {
    return group.startsWith(this.prefix);
  }

  /** Whether there are some of another node on this machine. */
  hasKin(groups: readonly string[]): boolean {
    return groups.some((group) => group.startsWith(FAMILY) && !this.isOurs(group));
  }
}

function digest(text: string, length: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, length);
}
