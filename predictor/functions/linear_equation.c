/* Gaussian elimination, the first steps of it. Size: unknowns; the rest of the matrix of doubles is swept once a step. */
#include "prng.h"

int main(int argc, char **argv) {
  size_t n = input_size(argc, argv), steps = rounds_for(10000000, n * n, 5, n - 1);
  double *a = allocate(n * n, sizeof *a), *b = allocate(n, sizeof *b);
  for (size_t i = 0; i < n * n; i++) a[i] = (double)(prng_next() >> 44) + (i % (n + 1) == 0 ? 1e9 : 0);
  for (size_t i = 0; i < n; i++) b[i] = (double)i;
  for (size_t step = 0; step < steps; step++)
    for (size_t row = step + 1; row < n; row++) {
      double factor = a[row * n + step] / a[step * n + step];
      for (size_t column = step; column < n; column++) a[row * n + column] -= factor * a[step * n + column];
      b[row] -= factor * b[step];
    }
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += b[i];
  return report((uint64_t)(int64_t)sum);
}
