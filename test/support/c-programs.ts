/** Little C programs whose curves over cache ways are known, compiled on the spot. */
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const COMPILER = 'cc';

const body = (code: string): string =>
  `#include <stdio.h>\n#include <stdlib.h>\nint main(int argc, char **argv) {\n  long size = atol(argv[argc - 1]), sum = 0;\n${code}\n  printf("%ld\\n", sum);\n  return 0;\n}\n`;

/** Each takes its size as its last argument. */
export const PROGRAMS = {
  /** Cycles through SIZE KiB: with LRU it hits always or never. */
  sweep: body(`  long lines = size * 16;
  char *data = calloc(lines, 64);
  for (int round = 0; round < 12; round++)
    for (long i = 0; i < lines; i++) sum += data[i * 64]++;`),
  /** Product of two SIZE x SIZE matrices of doubles: one of them is walked through once a row of the other. */
  matrix:
    body(`  double *a = malloc(8 * size * size), *b = malloc(8 * size * size), *c = calloc(size * size, 8);
  for (long i = 0; i < size * size; i++) { a[i] = i % 7; b[i] = i % 5; }
  for (long i = 0; i < size; i++)
    for (long k = 0; k < size; k++)
      for (long j = 0; j < size; j++) c[i * size + j] += a[i * size + k] * b[k * size + j];
  for (long i = 0; i < size * size; i++) sum += (long)c[i];`),
  /** Reads at random places of SIZE KiB: each way more holds as much more of them. */
  random: body(`  long lines = size * 16;
  char *data = calloc(lines, 64);
  unsigned long state = 88172645463325252ul;
  for (long i = 0; i < 400000; i++) {
    state ^= state << 13; state ^= state >> 7; state ^= state << 17;
    sum += data[(state % lines) * 64]++;
  }`),
  /** Touches no memory to speak of. */
  arithmetic: body(`  for (long i = 0; i < size; i++) sum = sum * 31 + i;`),
} as const;

/** The path of the program that `source` becomes. */
export function compile(source: string, folder: string): string {
  const name = Object.entries(PROGRAMS).find(([, text]) => text === source)?.[0] ?? 'program';
  const binary = join(folder, name);
  if (existsSync(binary)) return binary;
  writeFileSync(`${binary}.c`, source);
  execFileSync(COMPILER, ['-O1', '-o', binary, `${binary}.c`]);
  return binary;
}

/** A reason to skip what needs a compiler and valgrind; false where both are. */
export function missingTools(): string | false {
  for (const tool of [COMPILER, 'valgrind']) {
    try {
      execFileSync(tool, ['--version'], { stdio: 'ignore' });
    } catch {
      return `${tool} is not installed`;
    }
  }
  return false;
}
