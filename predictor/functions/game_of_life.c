/* Conway's game of life on a board of bytes. Size: the side; two boards are swept once a generation, with much counting. */
#include "prng.h"

int main(int argc, char **argv) {
  size_t side = input_size(argc, argv), generations = rounds_for(3000000, side * side, 3, 50);
  uint8_t *now = allocate(side * side, 1), *next = allocate(side * side, 1);
  for (size_t i = 0; i < side * side; i++) now[i] = prng_below(3) == 0;
  for (size_t generation = 0; generation < generations; generation++) {
    for (size_t y = 1; y + 1 < side; y++)
      for (size_t x = 1; x + 1 < side; x++) {
        const uint8_t *up = now + (y - 1) * side + x, *at = up + side, *down = at + side;
        int around = up[-1] + up[0] + up[1] + at[-1] + at[1] + down[-1] + down[0] + down[1];
        next[y * side + x] = (uint8_t)(around == 3 || (around == 2 && *at));
      }
    uint8_t *last = now;
    now = next;
    next = last;
  }
  uint64_t alive = 0;
  for (size_t i = 0; i < side * side; i++) alive += now[i] * (i & 31);
  return report(alive);
}
