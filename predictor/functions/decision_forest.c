/* Classifies samples by a forest of 16 deep trees. Size: nodes of 16 bytes; each sample goes one way down each tree. */
#include "prng.h"

enum { TREES = 16, FEATURES = 24 };

typedef struct {
  uint32_t feature, threshold, votes[2];
} Node;

int main(int argc, char **argv) {
  size_t nodes = input_size(argc, argv), tree_nodes = nodes / TREES + 1, samples = 40000;
  Node *forest = allocate(tree_nodes * TREES, sizeof *forest);
  for (size_t i = 0; i < tree_nodes * TREES; i++)
    forest[i] = (Node){prng_below(FEATURES), prng_below(1000), {prng_below(100), prng_below(100)}};
  uint64_t sum = 0;
  for (size_t sample = 0; sample < samples; sample++) {
    uint32_t feature[FEATURES], votes[2] = {0};
    for (int i = 0; i < FEATURES; i++) feature[i] = prng_below(1000);
    for (int tree = 0; tree < TREES; tree++) {
      const Node *nodes = forest + (size_t)tree * tree_nodes;
      size_t at = 0, leaf = 0;
      for (; at < tree_nodes; at = 2 * at + 1 + (feature[nodes[at].feature] > nodes[at].threshold)) leaf = at;
      votes[0] += nodes[leaf].votes[0];
      votes[1] += nodes[leaf].votes[1];
    }
    sum = mix(sum + (votes[0] > votes[1]));
  }
  return report(sum);
}
