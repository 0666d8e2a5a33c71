/* Scans an array of 8-byte numbers for their range again and again. Size: KiB; with too little cache each lap misses all. */
#include "prng.h"

int main(int argc, char **argv) {
  size_t n = input_size(argc, argv) * 128, laps = rounds_for(8000000, n, 6, 200);
  int64_t *array = allocate(n, sizeof *array);
  for (size_t i = 0; i < n; i++) array[i] = (int64_t)(prng_next() >> 1);
  uint64_t sum = 0;
  for (size_t lap = 0; lap < laps; lap++) {
    int64_t least = INT64_MAX, most = 0;
    for (size_t i = 0; i < n; i++) {
      int64_t value = array[i] ^ (int64_t)lap;
      least = value < least ? value : least;
      most = value > most ? value : most;
    }
    sum = mix(sum + (uint64_t)(most - least));
  }
  return report(sum);
}
