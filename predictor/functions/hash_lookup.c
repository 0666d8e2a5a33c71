/* Looks keys up in an open hash table. Size: keys, 32 bytes each; all are asked for equally often. */
#include "prng.h"

typedef struct {
  uint64_t key, value;
} Slot;

int main(int argc, char **argv) {
  size_t keys = input_size(argc, argv), slots = 16;
  while (slots < keys * 4 / 3) slots *= 2;
  Slot *table = allocate(slots, sizeof *table);
  for (size_t i = 1; i <= keys; i++) {
    size_t at = mix(i) & (slots - 1);
    while (table[at].key != 0) at = (at + 1) & (slots - 1);
    table[at] = (Slot){i, i * 3};
  }
  uint64_t sum = 0;
  for (int i = 0; i < 600000; i++) {
    uint64_t key = 1 + prng_below(keys);
    size_t at = mix(key) & (slots - 1);
    while (table[at].key != key) at = (at + 1) & (slots - 1);
    sum = mix(sum + table[at].value);
  }
  return report(sum);
}
