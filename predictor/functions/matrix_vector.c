/* Multiplies a vector by a matrix of floats again and again. Size: rows; the matrix is swept once a product. */
#include "prng.h"

int main(int argc, char **argv) {
  size_t n = input_size(argc, argv), products = rounds_for(8000000, n * n, 4, 60);
  float *matrix = allocate(n * n, sizeof *matrix), *vector = allocate(n, sizeof *vector);
  float *next = allocate(n, sizeof *next);
  for (size_t i = 0; i < n * n; i++) matrix[i] = (float)(i % 11) / (float)n;
  for (size_t i = 0; i < n; i++) vector[i] = 1;
  for (size_t product = 0; product < products; product++) {
    for (size_t row = 0; row < n; row++) {
      float sum = 0;
      for (size_t i = 0; i < n; i++) sum += matrix[row * n + i] * vector[i];
      next[row] = sum / 5;
    }
    memcpy(vector, next, n * sizeof *vector);
  }
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += vector[i];
  return report((uint64_t)(sum * 1e6));
}
