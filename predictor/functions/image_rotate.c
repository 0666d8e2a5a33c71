/* Turns an image of 4-byte pixels by 90 degrees. Size: the side; it is written in rows and read in columns, a line of 64 bytes a pixel. */
#include "prng.h"

int main(int argc, char **argv) {
  size_t side = input_size(argc, argv), turns = rounds_for(3000000, side * side, 2, 20);
  uint32_t *image = allocate(side * side, sizeof *image), *turned = allocate(side * side, sizeof *turned);
  for (size_t i = 0; i < side * side; i++) image[i] = (uint32_t)(i * 2654435761u);
  uint64_t sum = 0;
  for (size_t turn = 0; turn < turns; turn++) {
    for (size_t y = 0; y < side; y++)
      for (size_t x = 0; x < side; x++) turned[y * side + x] = image[(side - 1 - x) * side + y];
    sum = mix(sum + turned[turn % side]);
    uint32_t *last = image;
    image = turned;
    turned = last;
  }
  return report(sum);
}
