/* Builds a skip list and walks it. Size: keys, 64 bytes each; the tall nodes are hot, the others found at random. */
#include "prng.h"

enum { LEVELS = 12 };

typedef struct {
  uint32_t key, value, next[LEVELS];
} __attribute__((aligned(64))) Node;

int main(int argc, char **argv) {
  size_t keys = input_size(argc, argv);
  Node *nodes = aligned_alloc(64, (keys + 1) * sizeof *nodes);
  memset(nodes, 0, (keys + 1) * sizeof *nodes);
  /* Keys come in order but lie anywhere: node = key times an odd number. */
  uint32_t tail[LEVELS] = {0};
  size_t stride = 7919;
  while (keys % stride == 0) stride += 2;
  for (size_t i = 0; i < keys; i++) {
    uint32_t at = (uint32_t)(i * stride % keys) + 1, height = 1;
    while (height < LEVELS && prng_below(3) == 0) height++;
    nodes[at].key = (uint32_t)i * 2;
    nodes[at].value = (uint32_t)mix(i);
    for (uint32_t level = 0; level < height; level++) {
      nodes[tail[level]].next[level] = at;
      tail[level] = at;
    }
  }
  uint64_t sum = 0;
  for (int i = 0; i < 80000; i++) {
    uint32_t key = prng_below(2 * keys), at = 0;
    for (int level = LEVELS - 1; level >= 0; level--)
      for (uint32_t next; (next = nodes[at].next[level]) != 0 && nodes[next].key <= key;) at = next;
    sum = mix(sum + nodes[at].value);
  }
  return report(sum);
}
