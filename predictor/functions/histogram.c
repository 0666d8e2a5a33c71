/* Counts how often values occur. Size: bins of 4 bytes; values are normally distributed, the middle bins are hot. */
#include "prng.h"

int main(int argc, char **argv) {
  size_t bins = input_size(argc, argv);
  uint32_t *count = allocate(bins, sizeof *count);
  for (int i = 0; i < 900000; i++) {
    uint64_t random = prng_next();
    uint64_t sum = (random & 65535) + (random >> 16 & 65535) + (random >> 32 & 65535) + (random >> 48);
    count[sum * bins >> 18]++;
  }
  uint64_t sum = 0;
  for (size_t i = 0; i < bins; i++) sum += count[i] * (uint64_t)count[i];
  return report(sum);
}
