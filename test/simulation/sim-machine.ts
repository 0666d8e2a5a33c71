/** State machines for the simulator: they only have to tell whether two nodes applied the same. */
import type { StateMachine } from '../../node/consensus/types.ts';

export interface SimMachine extends StateMachine<unknown> {
  /** The same on two nodes if and only if they applied the same entries. */
  digest(): string;
}

/** A chain of FNV-1a hashes over everything applied, in order. */
export class ChainMachine implements SimMachine {
  #hash = 0x811c9dc5;

  apply(data: Uint8Array, index: number): string {
    this.#mix(index);
    for (const byte of data) this.#mix(byte);
    return this.digest();
  }

  reset(): void {
    this.#hash = 0x811c9dc5;
  }

  digest(): string {
    return (this.#hash >>> 0).toString(16);
  }

  #mix(value: number): void {
    this.#hash = Math.imul(this.#hash ^ value, 0x01000193);
  }
}
