/* Sums a column by group. Size: groups of 32 bytes; the rows stream by, their groups are skewed. */
#include "prng.h"

typedef struct {
  uint64_t key, count, sum, largest;
} Group;

int main(int argc, char **argv) {
  size_t groups = input_size(argc, argv), rows = 600000;
  Group *table = allocate(groups, sizeof *table);
  uint32_t *keys = allocate(4096, sizeof *keys);
  for (size_t row = 0; row < rows; row++) {
    if (row % 4096 == 0)
      for (int i = 0; i < 4096; i++) keys[i] = prng_skewed(groups);
    uint64_t value = mix(row) & 1023;
    Group *group = &table[mix(keys[row % 4096]) % groups];
    group->count++;
    group->sum += value;
    if (value > group->largest) group->largest = value;
  }
  uint64_t sum = 0;
  for (size_t i = 0; i < groups; i++) sum = mix(sum + table[i].sum + table[i].largest);
  return report(sum);
}
