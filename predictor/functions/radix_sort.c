/* Radix sort, least digit first. Size: numbers of 4 bytes; four sweeps of two arrays, one of them in 256 streams. */
#include "prng.h"

int main(int argc, char **argv) {
  size_t n = input_size(argc, argv);
  uint32_t *from = allocate(n, sizeof *from), *to = allocate(n, sizeof *to);
  for (size_t i = 0; i < n; i++) from[i] = (uint32_t)(prng_next() >> 32);
  for (int shift = 0; shift < 32; shift += 8) {
    size_t places[257] = {0};
    for (size_t i = 0; i < n; i++) places[(from[i] >> shift & 255) + 1]++;
    for (int digit = 0; digit < 256; digit++) places[digit + 1] += places[digit];
    for (size_t i = 0; i < n; i++) to[places[from[i] >> shift & 255]++] = from[i];
    uint32_t *last = from;
    from = to;
    to = last;
  }
  uint64_t sum = 0;
  for (size_t i = 0; i < n; i += 5) sum = mix(sum + from[i]);
  return report(sum);
}
