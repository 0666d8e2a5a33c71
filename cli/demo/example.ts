/** The function of the demo: it scans one array again and again, so it is slow until the array fits into its ways. */
import { spawnSync } from 'node:child_process';

export interface Example {
  readonly fileName: string;
  readonly command: string;
  readonly source: string;
  readonly inputSize: number;
}

/** Bytes: three and a half of the ways of the demo's caches. */
const ARRAY_BYTES = 450_000;
const SCANS = 200;

/** It waits at its end, so that somebody can look at the ways that it has; a simulated cache counts no waiting. */
const PYTHON = `"""Scans an array of N bytes ${SCANS} times: python3 scan.py N"""
import sys, time

n = int(sys.argv[1])
array = bytearray(n)
array[n - 1] = 1
print("scanned", sum(array.find(1) + 1 for _ in range(${SCANS})), flush=True)
time.sleep(1.2)
`;

const JAVASCRIPT = `// Scans an array of N bytes ${SCANS} times: node scan.js N
const n = Number(process.argv[2]);
const array = Buffer.alloc(n);
array[n - 1] = 1;
let scanned = 0;
for (let i = 0; i < ${SCANS}; i += 1) scanned += array.indexOf(1) + 1;
console.log('scanned', scanned);
setTimeout(() => {}, 1200);
`;

/** Python where there is one, else the Node that runs us. */
export function chooseExample(): Example {
  const python = findPython();
  return python !== null
    ? { fileName: 'scan.py', command: `${python} -I -S`, source: PYTHON, inputSize: ARRAY_BYTES }
    : { fileName: 'scan.js', command: `'${process.execPath}'`, source: JAVASCRIPT, inputSize: ARRAY_BYTES };
}

/**
 * The interpreter itself: `python3` may be a script of pyenv or asdf that starts some thirty programs first, and a
 * benchmark simulates the cache for each of them.
 */
function findPython(): string | null {
  const script = 'import sys; print(sys.executable)';
  const { status, stdout } = spawnSync('python3', ['-c', script], { encoding: 'utf8' });
  if (status !== 0) return null;
  const path = stdout.trim();
  return /^\/[\w./-]+$/.test(path) ? path : 'python3';
}

/** What the program prints for `inputSize`: the demo checks it. */
export function expectedOutput(inputSize: number): string {
  return `scanned ${SCANS * inputSize}\n`;
}
