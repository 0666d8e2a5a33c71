/* Looks keys up in a B-tree whose nodes are 128 bytes. Size: keys, 16 bytes each; a few keys are asked for most often. */
#include "prng.h"

enum { FAN_OUT = 15 };

typedef struct {
  uint32_t keys[FAN_OUT], children[FAN_OUT + 1];
  uint32_t count;
} __attribute__((aligned(128))) Node;

static Node *nodes;
static uint32_t used = 1;

/* Of the keys from..to, no more than fit under a node of this height. */
static uint32_t build(size_t from, size_t to, size_t below) {
  if (from >= to) return 0;
  uint32_t at = used++;
  size_t next = from;
  for (int i = 0; next < to; i++) {
    size_t end = next + below < to ? next + below : to;
    if (below > 0) nodes[at].children[i] = build(next, end, (below - FAN_OUT) / (FAN_OUT + 1));
    if (i == FAN_OUT || end >= to) break;
    nodes[at].keys[i] = (uint32_t)end * 2;
    nodes[at].count = (uint32_t)i + 1;
    next = end + 1;
  }
  return at;
}

int main(int argc, char **argv) {
  size_t keys = input_size(argc, argv), below = 0;
  while (below * (FAN_OUT + 1) + FAN_OUT < keys) below = below * (FAN_OUT + 1) + FAN_OUT;
  nodes = aligned_alloc(128, (keys / 4 + 64) * sizeof *nodes);
  memset(nodes, 0, (keys / 4 + 64) * sizeof *nodes);
  uint32_t root = build(0, keys, below);
  uint64_t found = 0;
  for (int i = 0; i < 400000; i++) {
    uint32_t key = prng_skewed(2 * keys), steps = 0;
    /* Keys that are asked for often lie all over the tree. */
    key = (uint32_t)(key * 2654435761u % (2 * keys));
    for (uint32_t at = root; at != 0; steps++) {
      uint32_t i = 0;
      while (i < nodes[at].count && nodes[at].keys[i] < key) i++;
      if (i < nodes[at].count && nodes[at].keys[i] == key) {
        found = mix(found + key + steps);
        break;
      }
      at = nodes[at].children[i];
    }
  }
  return report(found);
}
