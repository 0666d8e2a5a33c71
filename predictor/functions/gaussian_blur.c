/* Blurs a grey image, rows and then columns, three times. Size: the side, 2 bytes a pixel; much arithmetic a pixel. */
#include "prng.h"

int main(int argc, char **argv) {
  size_t side = input_size(argc, argv), times = rounds_for(1500000, side * side, 1, 12);
  uint8_t *image = allocate(side * side, 1), *rows = allocate(side * side, 1);
  for (size_t i = 0; i < side * side; i++) image[i] = (uint8_t)(prng_next() >> 56);
  for (size_t time = 0; time < times; time++) {
    for (size_t y = 0; y < side; y++)
      for (size_t x = 2; x + 2 < side; x++) {
        const uint8_t *at = image + y * side + x;
        rows[y * side + x] = (uint8_t)((at[-2] + 4 * at[-1] + 6 * at[0] + 4 * at[1] + at[2]) / 16);
      }
    for (size_t y = 2; y + 2 < side; y++)
      for (size_t x = 0; x < side; x++) {
        const uint8_t *at = rows + y * side + x;
        int near = *(at - side) + at[side], far = *(at - 2 * side) + at[2 * side];
        image[y * side + x] = (uint8_t)((far + 4 * near + 6 * *at) / 16);
      }
  }
  uint64_t sum = 0;
  for (size_t i = 0; i < side * side; i++) sum += image[i] * (i & 7);
  return report(sum);
}
