/* Looks for words in a text (Horspool). Size: KiB of text; all of it is swept once a word, in steps of some bytes. */
#include "prng.h"

enum { WORD = 7 };

int main(int argc, char **argv) {
  size_t length = input_size(argc, argv) * 1024, words = rounds_for(20000000, length, 6, 100);
  uint8_t *text = allocate(length, 1);
  for (size_t i = 0; i < length; i++) text[i] = (uint8_t)('a' + prng_below(26));
  uint64_t found = 0;
  for (size_t word = 0; word < words; word++) {
    uint8_t needle[WORD];
    size_t skip[256], from = prng_below(length - WORD);
    memcpy(needle, text + from, WORD);
    for (int i = 0; i < 256; i++) skip[i] = WORD;
    for (int i = 0; i < WORD - 1; i++) skip[needle[i]] = (size_t)(WORD - 1 - i);
    for (size_t i = 0; i + WORD <= length; i += skip[text[i + WORD - 1]])
      if (text[i + WORD - 1] == needle[WORD - 1] && memcmp(text + i, needle, WORD) == 0) found = mix(found + i);
  }
  return report(found);
}
