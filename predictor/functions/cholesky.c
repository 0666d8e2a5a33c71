/* Cholesky factors of a matrix, its first rows and then some of the last. Size: rows; half a matrix of doubles, read in rows. */
#include "prng.h"
#include <math.h>

int main(int argc, char **argv) {
  size_t n = input_size(argc, argv), last = rounds_for(8000000, n * n / 2, 4, n);
  double *l = allocate(n * n, sizeof *l);
  /* The rows before the last ones are given: only so much is factored as takes bounded time. */
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j <= i; j++) l[i * n + j] = i == j ? (double)n : (double)(mix(i * n + j) % 100) / 100;
  for (size_t i = n - last; i < n; i++)
    for (size_t j = 0; j <= i; j++) {
      double sum = l[i * n + j] * (i == j ? (double)n * 4 : 1);
      for (size_t k = 0; k < j; k++) sum -= l[i * n + k] * l[j * n + k];
      l[i * n + j] = i == j ? sqrt(fabs(sum) + 1) : sum / l[j * n + j];
    }
  double trace = 0;
  for (size_t i = 0; i < n; i++) trace += l[i * n + i];
  return report((uint64_t)(trace * 1e3));
}
