/**
 * `info/last_cmd_status`: a buffer of 512 bytes that some commands clear and others only add to. A line that no
 * longer fits is dropped, and everything after it, until the buffer is cleared.
 */
const CAPACITY_BYTES = 512;

export class LastCommandStatus {
  #text = '';
  #overflown = false;

  clear(): void {
    this.#text = '';
    this.#overflown = false;
  }

  add(line: string): void {
    const text = `${this.#text}${line}\n`;
    this.#overflown ||= Buffer.byteLength(text) >= CAPACITY_BYTES;
    if (!this.#overflown) this.#text = text;
  }

  read(): string {
    return this.#text === '' ? 'ok\n' : this.#text;
  }
}
