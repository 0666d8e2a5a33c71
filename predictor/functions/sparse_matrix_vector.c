/* Product of a sparse matrix and a vector. Size: rows of ten entries, 136 bytes; entries lie near the diagonal, some far off. */
#include "prng.h"

enum { ENTRIES = 10 };

int main(int argc, char **argv) {
  size_t n = input_size(argc, argv), products = rounds_for(240000, n, 4, 30);
  uint32_t *column = allocate(n * ENTRIES, sizeof *column);
  double *entry = allocate(n * ENTRIES, sizeof *entry), *vector = allocate(n, 8), *next = allocate(n, 8);
  for (size_t row = 0; row < n; row++)
    for (int i = 0; i < ENTRIES; i++) {
      column[row * ENTRIES + i] = i < 7 ? (uint32_t)((row + prng_below(64)) % n) : prng_below(n);
      entry[row * ENTRIES + i] = 0.1;
    }
  for (size_t i = 0; i < n; i++) vector[i] = (double)(i & 15);
  for (size_t product = 0; product < products; product++) {
    for (size_t row = 0; row < n; row++) {
      double sum = 0;
      for (size_t i = row * ENTRIES; i < (row + 1) * ENTRIES; i++) sum += entry[i] * vector[column[i]];
      next[row] = sum;
    }
    double *last = vector;
    vector = next;
    next = last;
  }
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += vector[i] * (double)(i % 3);
  return report((uint64_t)(sum * 1e3));
}
