/* First principal component by power iteration. Size: samples of 32 doubles; all of them are swept once an iteration. */
#include "prng.h"
#include <math.h>

enum { DIMENSIONS = 32 };

int main(int argc, char **argv) {
  size_t samples = input_size(argc, argv), iterations = rounds_for(8000000, samples * DIMENSIONS, 6, 60);
  double *data = allocate(samples * DIMENSIONS, sizeof *data), axis[DIMENSIONS];
  for (size_t i = 0; i < samples * DIMENSIONS; i++) data[i] = (double)(prng_next() >> 40) / (double)(1 + i % DIMENSIONS);
  for (int i = 0; i < DIMENSIONS; i++) axis[i] = 1;
  double length = 0;
  for (size_t iteration = 0; iteration < iterations; iteration++) {
    double next[DIMENSIONS] = {0};
    for (size_t sample = 0; sample < samples; sample++) {
      const double *row = data + sample * DIMENSIONS;
      double along = 0;
      for (int i = 0; i < DIMENSIONS; i++) along += row[i] * axis[i];
      for (int i = 0; i < DIMENSIONS; i++) next[i] += row[i] * along;
    }
    length = 0;
    for (int i = 0; i < DIMENSIONS; i++) length += next[i] * next[i];
    length = sqrt(length);
    for (int i = 0; i < DIMENSIONS; i++) axis[i] = next[i] / length;
  }
  return report((uint64_t)(axis[0] * 1e9));
}
