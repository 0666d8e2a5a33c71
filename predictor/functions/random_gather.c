/* Reads numbers at random places of an array. Size: KiB; each way more holds as much more of it. */
#include "prng.h"

int main(int argc, char **argv) {
  size_t n = input_size(argc, argv) * 128;
  uint64_t *array = allocate(n, sizeof *array), sum = 0;
  for (size_t i = 0; i < n; i += 8) array[i] = i;
  for (int i = 0; i < 1200000; i++) sum += array[prng_below(n)]++ + (unsigned)i;
  return report(sum);
}
