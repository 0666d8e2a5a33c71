/* Motion in a grey video against a running background. Size: the side of a frame; the background is swept once a frame. */
#include "prng.h"

int main(int argc, char **argv) {
  size_t side = input_size(argc, argv), pixels = side * side, frames = rounds_for(6000000, pixels, 4, 60);
  uint8_t *frame = allocate(pixels, 1);
  uint16_t *background = allocate(pixels, sizeof *background);
  for (size_t i = 0; i < pixels; i++) background[i] = (uint16_t)((i & 127) << 7);
  uint64_t moved = 0;
  for (size_t t = 0; t < frames; t++) {
    for (size_t i = 0; i < pixels; i++) frame[i] = (uint8_t)(i & 127);
    for (size_t y = t % side; y < side && y < t % side + side / 8; y++) memset(frame + y * side, 255, side / 4);
    for (size_t i = 0; i < pixels; i++) {
      int difference = ((int)frame[i] << 7) - background[i];
      background[i] = (uint16_t)(background[i] + difference / 16);
      if (difference > 4096 || difference < -4096) moved++;
    }
  }
  return report(moved);
}
