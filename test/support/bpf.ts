/** Runs programs of classic BPF as the kernel does for seccomp: only what `assemble` makes, anything else throws. */

/** As `struct seccomp_data`; of the first argument the lower half. */
export interface SystemCall {
  readonly number: number;
  readonly architecture: number;
  readonly first: number;
}

export function judge(program: Uint8Array, call: SystemCall): number {
  const view = new DataView(program.buffer, program.byteOffset, program.length);
  let word = 0;
  for (let at = 0; at * 8 < program.length; at++) {
    const code = view.getUint16(at * 8, true);
    const [ifSo, ifNot] = [view.getUint8(at * 8 + 2), view.getUint8(at * 8 + 3)];
    const k = view.getUint32(at * 8 + 4, true);
    const jump = (holds: boolean) => {
      at += holds ? ifSo : ifNot;
    };
    if (code === 0x20) word = load(call, k);
    else if (code === 0x15) jump(word === k);
    else if (code === 0x25) jump(word > k);
    else if (code === 0x45) jump((word & k) !== 0);
    else if (code === 0x05) at += k;
    else if (code === 0x06) return k;
    else throw new Error(`no such instruction: ${code}`);
  }
  throw new Error('the program has no end');
}

function load({ number, architecture, first }: SystemCall, offset: number): number {
  const word = { 0: number, 4: architecture, 16: first }[offset];
  if (word === undefined) throw new Error(`nothing is at ${offset}`);
  return word >>> 0;
}
