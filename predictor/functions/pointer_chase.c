/* Follows a linked list that visits its nodes in random order. Size: KiB, a node a line; the list is gone through in laps. */
#include "prng.h"

typedef struct Node {
  struct Node *next;
  uint64_t value[7];
} __attribute__((aligned(64))) Node;

int main(int argc, char **argv) {
  size_t n = input_size(argc, argv) * 16, laps = rounds_for(1500000, n, 6, 100);
  Node *nodes = aligned_alloc(64, n * sizeof *nodes);
  uint32_t *order = allocate(n, sizeof *order);
  for (size_t i = 0; i < n; i++) order[i] = (uint32_t)i;
  for (size_t i = n - 1; i > 0; i--) {
    size_t j = prng_below(i + 1);
    uint32_t swapped = order[i];
    order[i] = order[j];
    order[j] = swapped;
  }
  for (size_t i = 0; i < n; i++) nodes[order[i]] = (Node){&nodes[order[(i + 1) % n]], {mix(i), i}};
  uint64_t sum = 0;
  const Node *at = nodes;
  for (size_t i = 0; i < n * laps; i++, at = at->next) sum = mix(sum + at->value[0]);
  return report(sum);
}
