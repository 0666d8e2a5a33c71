/* Joins a stream of orders with an index of customers, a search tree in an array. Size: customers; 16 bytes each and 32 bytes a row. */
#include "prng.h"

typedef struct {
  uint64_t key, row;
} Entry;

static Entry *tree;
static uint64_t next_key;

static void fill(size_t at, size_t count) {
  if (at > count) return;
  fill(2 * at, count);
  tree[at] = (Entry){next_key * 2, next_key};
  next_key++;
  fill(2 * at + 1, count);
}

int main(int argc, char **argv) {
  size_t customers = input_size(argc, argv);
  tree = allocate(customers + 1, sizeof *tree);
  uint64_t(*rows)[4] = allocate(customers, sizeof *rows);
  fill(1, customers);
  for (size_t i = 0; i < customers; i++) rows[i][i & 3] = mix(i);
  uint64_t sum = 0;
  for (int order = 0; order < 250000; order++) {
    /* Orders come in bursts of neighbours. */
    uint64_t key = order % 4 == 0 ? prng_below(customers * 2) : (mix((uint64_t)order / 4) + (unsigned)order) % (customers * 2);
    size_t at = 1;
    while (at <= customers && tree[at].key != key) at = 2 * at + (tree[at].key < key);
    if (at <= customers) sum = mix(sum + rows[tree[at].row][order & 3]);
  }
  return report(sum);
}
