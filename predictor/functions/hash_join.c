/* Joins two tables by hashing the smaller. Size: its rows, 24 bytes and a chain; three times as many probe it once. */
#include "prng.h"

typedef struct {
  uint32_t key, next;
  uint64_t payload;
} Row;

int main(int argc, char **argv) {
  size_t small = input_size(argc, argv), large = small * 3, buckets = 16;
  while (buckets < small) buckets *= 2;
  Row *rows = allocate(small + 1, sizeof *rows), *probes = allocate(large, sizeof *probes);
  uint32_t *bucket = allocate(buckets, sizeof *bucket);
  for (size_t i = 0; i < large; i++) probes[i] = (Row){prng_below(small * 2), 0, i};
  for (size_t i = 1; i <= small; i++) {
    uint32_t key = prng_below(small * 2), *link = &bucket[mix(key) & (buckets - 1)];
    rows[i] = (Row){key, *link, i};
    *link = (uint32_t)i;
  }
  uint64_t sum = 0, matches = 0;
  for (size_t i = 0; i < large; i++)
    for (uint32_t at = bucket[mix(probes[i].key) & (buckets - 1)]; at != 0; at = rows[at].next)
      if (rows[at].key == probes[i].key) matches++, sum += rows[at].payload ^ probes[i].payload;
  return report(mix(sum + matches));
}
