/* A trie of words of seven of 8 letters. Size: words; some 100 bytes each, the nodes near the root are hot. */
#include "prng.h"

enum { LETTERS = 8, LENGTH = 7 };

typedef struct {
  uint32_t next[LETTERS];
  uint32_t words;
} Node;

int main(int argc, char **argv) {
  size_t words = input_size(argc, argv), lookups = 350000;
  Node *nodes = allocate(words * 4 + 1024, sizeof *nodes);
  uint32_t used = 1;
  for (size_t i = 0; i < words && used + LENGTH < words * 4 + 1024; i++) {
    uint64_t word = mix(i + 1);
    uint32_t at = 0;
    for (int j = 0; j < LENGTH; j++, word /= LETTERS) {
      uint32_t *next = &nodes[at].next[word % LETTERS];
      if (*next == 0) *next = used++;
      at = *next;
    }
    nodes[at].words++;
  }
  uint64_t found = 0;
  for (size_t i = 0; i < lookups; i++) {
    uint64_t word = mix(prng_below(words + words / 2) + 1);
    uint32_t at = 0;
    for (int j = 0; j < LENGTH; j++, word /= LETTERS)
      if ((at = nodes[at].next[word % LETTERS]) == 0) break;
    found += at == 0 ? 0 : nodes[at].words;
  }
  return report(mix(found) + used);
}
