/**
 * Programs of classic BPF as seccomp(2) runs them, from statements with labels to the bytes of `struct sock_filter`
 * (linux/filter.h, linux/bpf_common.h). Pure.
 */

/** What a program does next: with a word of `struct seccomp_data`, or to the system call. */
export type Statement =
  | { readonly kind: 'label'; readonly name: string }
  /** Takes the 32 bits at this offset. */
  | { readonly kind: 'load'; readonly offset: number }
  /** Goes on at a label when the word is this value, is above it, or has one of its bits; else at the next statement. */
  | { readonly kind: 'equal' | 'above' | 'anyBit'; readonly value: number; readonly to: string }
  | { readonly kind: 'goto'; readonly to: string }
  /** Decides. */
  | { readonly kind: 'return'; readonly value: number };

/** BPF_LD | BPF_W | BPF_ABS, BPF_JMP | BPF_JEQ, JGT, JSET and JA | BPF_K, BPF_RET | BPF_K. */
const CODES = { load: 0x20, equal: 0x15, above: 0x25, anyBit: 0x45, goto: 0x05, return: 0x06 } as const;
const INSTRUCTION_BYTES = 8;
/** How far a conditional jump reaches: eight bits. */
const FARTHEST = 255;
/** BPF_MAXINSNS. */
const MOST = 4096;

/** @throws RangeError for a jump that leads backwards, nowhere or too far, which the kernel would refuse, too */
export function assemble(statements: readonly Statement[]): Uint8Array {
  const instructions = statements.filter(({ kind }) => kind !== 'label');
  if (instructions.length > MOST) throw new RangeError(`more than ${MOST} instructions`);
  const places = placesOf(statements);
  const bytes = new Uint8Array(instructions.length * INSTRUCTION_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [at, statement] of instructions.entries()) {
    if (statement.kind === 'label') continue;
    const distance = 'to' in statement ? distanceTo(statement.to, at, places) : 0;
    const conditional = statement.kind !== 'goto';
    if (conditional && distance > FARTHEST) throw new RangeError(`a jump over ${distance} instructions`);
    const offset = at * INSTRUCTION_BYTES;
    // Little-endian like both architectures that there are filters for.
    view.setUint16(offset, CODES[statement.kind], true);
    view.setUint8(offset + 2, conditional ? distance : 0);
    view.setUint32(offset + 4, operandOf(statement, distance), true);
  }
  return bytes;
}

function placesOf(statements: readonly Statement[]): ReadonlyMap<string, number> {
  const places = new Map<string, number>();
  let at = 0;
  for (const statement of statements) {
    if (statement.kind !== 'label') at++;
    else if (places.has(statement.name)) throw new RangeError(`two places are called ${statement.name}`);
    else places.set(statement.name, at);
  }
  return places;
}

function distanceTo(label: string, from: number, places: ReadonlyMap<string, number>): number {
  const distance = (places.get(label) ?? Number.NEGATIVE_INFINITY) - from - 1;
  if (distance < 0) throw new RangeError(`no way leads to ${label}`);
  return distance;
}

function operandOf(statement: Exclude<Statement, { readonly kind: 'label' }>, distance: number): number {
  if (statement.kind === 'load') return statement.offset;
  return statement.kind === 'goto' ? distance : statement.value;
}
