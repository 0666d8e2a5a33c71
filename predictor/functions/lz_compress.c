/* Lempel-Ziv compression. Size: KiB of text; a hash table of 512 KiB and the last 64 KiB of text stay in use. */
#include "prng.h"

enum { BITS = 17, WINDOW = 65536 };

int main(int argc, char **argv) {
  size_t length = input_size(argc, argv) * 1024;
  uint8_t *text = allocate(length + 8, 1);
  uint32_t *last = allocate((size_t)1 << BITS, sizeof *last);
  for (size_t i = 0; i < length;) {
    uint32_t word = prng_skewed(20000);
    for (int j = 0; j < 6; j++, word = word * 69069 + 1) text[i++] = (uint8_t)('a' + (word >> 8) % 26);
  }
  uint64_t literals = 0, matches = 0, checksum = 0;
  for (size_t i = 0; i + 4 < length;) {
    uint32_t four;
    memcpy(&four, text + i, 4);
    uint32_t slot = four * 2654435761u >> (32 - BITS);
    size_t candidate = last[slot], matched = 0;
    last[slot] = (uint32_t)i;
    if (candidate < i && i - candidate < WINDOW)
      while (i + matched < length && text[candidate + matched] == text[i + matched]) matched++;
    if (matched >= 4) {
      checksum += (i - candidate) * matched;
      matches++;
      i += matched;
    } else {
      literals++;
      i++;
    }
  }
  return report(mix(checksum + literals) ^ matches);
}
