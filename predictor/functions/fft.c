/* Fast Fourier transform, radix 2, in place. Size: complex samples (the power of two below); one sweep a level. */
#include "prng.h"
#include <complex.h>
#include <math.h>

int main(int argc, char **argv) {
  size_t wanted = input_size(argc, argv), n = 2;
  while (n * 2 <= wanted) n *= 2;
  double complex *x = allocate(n, sizeof *x), *turn = allocate(n / 2, sizeof *turn);
  for (size_t i = 0; i < n; i++) x[i] = (double)(i % 19) - 9.0;
  double complex step = cexp(-2 * I * 3.14159265358979323846 / (double)n);
  turn[0] = 1;
  for (size_t i = 1; i < n / 2; i++) turn[i] = turn[i - 1] * step;
  for (size_t i = 1, j = 0; i < n; i++) {
    size_t bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i >= j) continue;
    double complex swapped = x[i];
    x[i] = x[j];
    x[j] = swapped;
  }
  for (size_t length = 2; length <= n; length *= 2)
    for (size_t start = 0; start < n; start += length)
      for (size_t k = 0; k < length / 2; k++) {
        double complex w = turn[k * (n / length)], odd = x[start + k + length / 2], even = x[start + k];
        double re = creal(odd) * creal(w) - cimag(odd) * cimag(w), im = creal(odd) * cimag(w) + cimag(odd) * creal(w);
        x[start + k] = even + (re + im * I);
        x[start + k + length / 2] = even - (re + im * I);
      }
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += fabs(creal(x[i]));
  return report((uint64_t)sum);
}
