/* A Bloom filter with four bits a key. Size: KiB of the filter; all of it is touched at random, bit by bit. */
#include "prng.h"

int main(int argc, char **argv) {
  size_t bits = input_size(argc, argv) * 1024 * 8, keys = bits / 12, seen = 0;
  uint64_t *filter = allocate(bits / 64, 8);
  size_t inserted = keys < 150000 ? keys : 150000;
  for (size_t i = 0; i < inserted; i++)
    for (uint64_t k = 0, hash = mix(i + 1); k < 4; k++, hash = mix(hash))
      filter[hash % bits / 64] |= 1ull << (hash & 63);
  for (size_t i = 0; i < 200000; i++) {
    uint64_t hash = mix(i % 2 ? prng_below(inserted) + 1 : i + 10000000), all = 1;
    for (int k = 0; k < 4 && all; k++, hash = mix(hash)) all = filter[hash % bits / 64] >> (hash & 63) & 1;
    seen += all;
  }
  return report(seen);
}
