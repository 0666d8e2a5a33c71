/* The nearest of many points for some queries. Size: points of 16 bytes of features; all are swept once a query. */
#include "prng.h"

enum { FEATURES = 16 };

int main(int argc, char **argv) {
  size_t points = input_size(argc, argv), queries = rounds_for(1000000, points, 3, 100);
  uint8_t *data = allocate(points, FEATURES);
  for (size_t i = 0; i < points * FEATURES / 8; i++) ((uint64_t *)data)[i] = prng_next();
  uint64_t sum = 0;
  for (size_t query = 0; query < queries; query++) {
    uint8_t wanted[FEATURES];
    for (int i = 0; i < FEATURES; i++) wanted[i] = (uint8_t)prng_below(256);
    int32_t nearest = INT32_MAX;
    size_t best = 0;
    for (size_t point = 0; point < points; point++) {
      int32_t distance = 0;
      for (int i = 0; i < FEATURES; i++) {
        int32_t apart = data[point * FEATURES + i] - wanted[i];
        distance += apart * apart;
      }
      if (distance < nearest) nearest = distance, best = point;
    }
    sum = mix(sum + best);
  }
  return report(sum);
}
