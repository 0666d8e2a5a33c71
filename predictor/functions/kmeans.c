/* Clusters points by Lloyd's algorithm. Size: points of eight floats; all of them are swept once an iteration. */
#include "prng.h"

enum { DIMENSIONS = 8, CLUSTERS = 4 };

int main(int argc, char **argv) {
  size_t points = input_size(argc, argv), iterations = rounds_for(500000, points, 4, 40);
  float *data = allocate(points * DIMENSIONS, sizeof *data), centre[CLUSTERS][DIMENSIONS];
  for (size_t i = 0; i < points * DIMENSIONS; i++) data[i] = (float)(prng_next() >> 40);
  memcpy(centre, data, sizeof centre);
  uint64_t checksum = 0;
  for (size_t iteration = 0; iteration < iterations; iteration++) {
    float sums[CLUSTERS][DIMENSIONS] = {{0}};
    size_t counts[CLUSTERS] = {0};
    for (size_t point = 0; point < points; point++) {
      const float *at = data + point * DIMENSIONS;
      float nearest = 1e30f;
      int best = 0;
      for (int cluster = 0; cluster < CLUSTERS; cluster++) {
        float distance = 0;
        for (int i = 0; i < DIMENSIONS; i++)
          distance += (at[i] - centre[cluster][i]) * (at[i] - centre[cluster][i]);
        if (distance < nearest) nearest = distance, best = cluster;
      }
      counts[best]++;
      for (int i = 0; i < DIMENSIONS; i++) sums[best][i] += at[i];
    }
    for (int cluster = 0; cluster < CLUSTERS; cluster++) {
      checksum = mix(checksum + counts[cluster]);
      for (int i = 0; i < DIMENSIONS && counts[cluster] > 0; i++)
        centre[cluster][i] = sums[cluster][i] / (float)counts[cluster];
    }
  }
  return report(checksum);
}
