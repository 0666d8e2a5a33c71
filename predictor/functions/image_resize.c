/* Scales an RGB image to two thirds, first its rows, then its columns. Size: the side; pixels are read once or twice. */
#include "prng.h"

int main(int argc, char **argv) {
  size_t side = input_size(argc, argv), small = side * 2 / 3;
  uint8_t *in = allocate(side * side, 3), *rows = allocate(side * small, 3), *out = allocate(small * small, 3);
  for (size_t i = 0; i < side * side * 3; i += 8) in[i] = (uint8_t)prng_next();
  for (size_t y = 0; y < side; y++)
    for (size_t x = 0; x < small; x++) {
      size_t at = x * 3 / 2, part = x * 3 % 2, next = at + 1 < side ? at + 1 : at;
      for (int c = 0; c < 3; c++) {
        int a = in[(y * side + at) * 3 + c], b = in[(y * side + next) * 3 + c];
        rows[(y * small + x) * 3 + c] = (uint8_t)(part ? (a + b) / 2 : a);
      }
    }
  for (size_t x = 0; x < small; x++)
    for (size_t y = 0; y < small; y++) {
      size_t at = y * 3 / 2, part = y * 3 % 2, next = at + 1 < side ? at + 1 : at;
      for (int c = 0; c < 3; c++) {
        int a = rows[(at * small + x) * 3 + c], b = rows[(next * small + x) * 3 + c];
        out[(y * small + x) * 3 + c] = (uint8_t)(part ? (a + b) / 2 : a);
      }
    }
  uint64_t sum = 0;
  for (size_t i = 0; i < small * small * 3; i++) sum += out[i];
  return report(sum);
}
