/** Who did what: the latest entries, of a bounded number. */
import type { AuditEntry } from '../../protocols/schema/token.ts';

export const KEPT_AUDIT_ENTRIES = 10_000;

export class AuditTrail {
  /** Oldest first, from `#first` on; what stands before it is forgotten. */
  #entries: AuditEntry[] = [];
  #first = 0;

  append(entry: AuditEntry): void {
    this.#entries.push(entry);
    if (this.#entries.length - this.#first > KEPT_AUDIT_ENTRIES) this.#first += 1;
    if (this.#first < KEPT_AUDIT_ENTRIES) return;
    this.#entries = this.#entries.slice(this.#first);
    this.#first = 0;
  }

  entries(): readonly AuditEntry[] {
    return this.#entries.slice(this.#first);
  }

  clear(): void {
    this.#entries = [];
    this.#first = 0;
  }

  toJSON(): unknown {
    return this.entries();
  }
}
