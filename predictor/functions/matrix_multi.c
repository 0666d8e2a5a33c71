/* Product of two square matrices of doubles, the first rows of it. Size: rows; the second matrix is swept once a row. */
#include "prng.h"

int main(int argc, char **argv) {
  size_t n = input_size(argc, argv), rows = rounds_for(10000000, n * n, 5, n);
  double *a = allocate(rows * n, sizeof *a), *b = allocate(n * n, sizeof *b), *c = allocate(rows * n, sizeof *c);
  for (size_t i = 0; i < rows * n; i++) a[i] = (double)(i % 7);
  for (size_t i = 0; i < n * n; i++) b[i] = (double)(i % 5);
  for (size_t i = 0; i < rows; i++)
    for (size_t k = 0; k < n; k++)
      for (size_t j = 0; j < n; j++) c[i * n + j] += a[i * n + k] * b[k * n + j];
  double sum = 0;
  for (size_t i = 0; i < rows * n; i++) sum += c[i];
  return report((uint64_t)sum);
}
