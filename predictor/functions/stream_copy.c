/* Moves a stream from one buffer of 32 KiB to another, changing each word. Size: KiB that pass; nothing is kept. */
#include "prng.h"

enum { WORDS = 32 * 1024 / 8 };

int main(int argc, char **argv) {
  size_t chunks = input_size(argc, argv) / 32 + 1;
  uint64_t *in = allocate(WORDS, 8), *out = allocate(WORDS, 8), sum = 0;
  for (size_t chunk = 0; chunk < chunks; chunk++) {
    for (size_t i = 0; i < WORDS; i++) in[i] = chunk * WORDS + i;
    for (size_t i = 0; i < WORDS; i++) out[i] = mix(in[i]);
    for (size_t i = 0; i < WORDS; i++) sum += out[i];
  }
  return report(sum);
}
