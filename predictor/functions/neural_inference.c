/* Requests go through a perceptron of four square layers of 16-bit weights. Size: its width; all weights are swept once a request. */
#include "prng.h"

enum { LAYERS = 4 };

int main(int argc, char **argv) {
  size_t width = input_size(argc, argv), weights = width * width * LAYERS;
  size_t requests = rounds_for(12000000, weights, 4, 60);
  int16_t *weight = allocate(weights, sizeof *weight);
  int32_t *in = allocate(width, sizeof *in), *out = allocate(width, sizeof *out);
  for (size_t i = 0; i < weights; i++) weight[i] = (int16_t)(mix(i) % 255 - 127);
  uint64_t sum = 0;
  for (size_t request = 0; request < requests; request++) {
    for (size_t i = 0; i < width; i++) in[i] = (int32_t)prng_below(256);
    for (int layer = 0; layer < LAYERS; layer++) {
      for (size_t row = 0; row < width; row++) {
        const int16_t *of = weight + ((size_t)layer * width + row) * width;
        int32_t total = 0;
        for (size_t i = 0; i < width; i++) total += of[i] * in[i];
        out[row] = total > 0 ? total >> 12 : 0;
      }
      int32_t *last = in;
      in = out;
      out = last;
    }
    sum = mix(sum + (uint64_t)in[request % width]);
  }
  return report(sum);
}
