/** The function of the demo: a matrix product, whose columns walk through the cache. */
import { spawnSync } from 'node:child_process';

export interface Example {
  readonly fileName: string;
  readonly command: string;
  readonly source: string;
  readonly inputSize: number;
}

const PYTHON = `"""Multiplies two N x N matrices: python3 matrix_product.py N"""
import sys

n = int(sys.argv[1])
a = [[(i * j) % 7 for j in range(n)] for i in range(n)]
b = [[(i + j) % 5 for j in range(n)] for i in range(n)]
c = [[sum(a[i][k] * b[k][j] for k in range(n)) for j in range(n)] for i in range(n)]
print("trace", sum(c[i][i] for i in range(n)))
`;

const JAVASCRIPT = `// Multiplies two N x N matrices: node matrix_product.js N
const n = Number(process.argv[2]);
const make = (f) => Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => f(i, j)));
const a = make((i, j) => (i * j) % 7);
const b = make((i, j) => (i + j) % 5);
const cell = (i, j) => a[i].reduce((sum, x, k) => sum + x * b[k][j], 0);
const c = make(cell);
console.log('trace', c.reduce((sum, row, i) => sum + row[i], 0));
`;

/** Python where there is one, else the Node that runs us. */
export function chooseExample(): Example {
  const python = findPython();
  return python !== null
    ? { fileName: 'matrix_product.py', command: python, source: PYTHON, inputSize: 160 }
    : { fileName: 'matrix_product.js', command: `'${process.execPath}'`, source: JAVASCRIPT, inputSize: 500 };
}

/**
 * The interpreter itself: `python3` may be a script of pyenv or asdf that starts some thirty programs first, and a benchmark
 * simulates the cache for each of them.
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
  let trace = 0;
  for (let i = 0; i < inputSize; i++) {
    for (let k = 0; k < inputSize; k++) trace += ((i * k) % 7) * ((k + i) % 5);
  }
  return `trace ${trace}\n`;
}
