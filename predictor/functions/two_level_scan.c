/* Scans a small table four times for each half of a large one. Size: KiB of the large, the small is a sixth: a cliff for each. */
#include "prng.h"

static uint64_t scan(uint64_t *words, size_t count) {
  uint64_t sum = 0;
  for (size_t i = 0; i < count; i++) sum += words[i]++ * 3;
  return sum;
}

int main(int argc, char **argv) {
  size_t large = input_size(argc, argv) * 128, small = large / 6, rounds = rounds_for(4000000, large, 4, 60);
  uint64_t *first = allocate(large, 8), *second = allocate(small, 8), sum = 0;
  for (size_t round = 0; round < rounds; round++)
    for (int half = 0; half < 2; half++) {
      sum = mix(sum + scan(first + (size_t)half * (large / 2), large / 2));
      for (int i = 0; i < 4; i++) sum = mix(sum + scan(second, small));
    }
  return report(sum);
}
