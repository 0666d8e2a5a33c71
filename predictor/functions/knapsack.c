/* The 0/1 knapsack by dynamic programming. Size: the capacity; the table of 4 bytes a unit is swept once an item. */
#include "prng.h"

int main(int argc, char **argv) {
  size_t capacity = input_size(argc, argv), items = rounds_for(8000000, capacity, 5, 120);
  uint32_t *best = allocate(capacity + 1, sizeof *best);
  for (size_t item = 0; item < items; item++) {
    size_t weight = 1 + prng_below(capacity / 16 + 1);
    uint32_t value = 1 + prng_below(1000);
    for (size_t room = capacity; room >= weight; room--) {
      uint32_t with = best[room - weight] + value;
      if (with > best[room]) best[room] = with;
    }
  }
  return report(best[capacity]);
}
