/* Heat in a plate by Jacobi's iteration. Size: side of the grid of doubles; two grids are swept once an iteration. */
#include "prng.h"

int main(int argc, char **argv) {
  size_t side = input_size(argc, argv), iterations = rounds_for(4000000, side * side, 4, 60);
  double *now = allocate(side * side, sizeof *now), *next = allocate(side * side, sizeof *next);
  for (size_t i = 0; i < side; i++) now[i] = next[i] = 100;
  for (size_t iteration = 0; iteration < iterations; iteration++) {
    for (size_t y = 1; y + 1 < side; y++)
      for (size_t x = 1; x + 1 < side; x++) {
        const double *at = now + y * side + x;
        next[y * side + x] = 0.25 * (at[-1] + at[1] + *(at - side) + at[side]);
      }
    double *last = now;
    now = next;
    next = last;
  }
  double sum = 0;
  for (size_t i = 0; i < side * side; i++) sum += now[i];
  return report((uint64_t)(sum * 1e6));
}
