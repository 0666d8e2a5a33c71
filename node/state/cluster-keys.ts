/** Which key secrets are sealed under: its id only. A member that was removed has had it, so a new one is due then. */
import type { KeyId, SealedSecret } from '../../protocols/schema/secret.ts';

export class ClusterKeyTable {
  #current: KeyId | null = null;
  #removals = 0;
  /** Of the removals, those before the current key was made. */
  #covered = 0;

  /** Null: nobody has handed in a secret yet. */
  get current(): KeyId | null {
    return this.#current;
  }

  /** Members that were ever removed. */
  get removals(): number {
    return this.#removals;
  }

  /** Whether only members know the current key. */
  get isFresh(): boolean {
    return this.#current !== null && this.#removals === this.#covered;
  }

  /** False for a key that was made before the last removal: who was removed may have had it. */
  put(id: KeyId, removals: number): boolean {
    if (removals !== this.#removals) return false;
    this.#current = id;
    this.#covered = removals;
    return true;
  }

  memberRemoved(): void {
    this.#removals += 1;
  }

  /** False for what was sealed under a key that is no longer the one, or soon won't be. */
  accepts(secrets: readonly SealedSecret[]): boolean {
    return secrets.every(({ sealed }) => sealed?.keyId === this.#current && this.isFresh);
  }

  clear(): void {
    this.#current = null;
    this.#removals = this.#covered = 0;
  }

  toJSON(): unknown {
    return [this.#current, this.#removals, this.#covered];
  }
}
