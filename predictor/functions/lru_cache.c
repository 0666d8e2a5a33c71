/* A cache of objects that drops the least recently used. Size: objects it holds, 48 bytes each; some are popular. */
#include "prng.h"

typedef struct {
  uint32_t key, newer, older, chain;
  uint64_t value[3];
} Entry;

int main(int argc, char **argv) {
  size_t held = input_size(argc, argv), buckets = 16, used = 1, hits = 0;
  while (buckets < held) buckets *= 2;
  uint32_t *bucket = allocate(buckets, sizeof *bucket);
  /* Entry 0 is the ring's anchor: its `older` is the newest, its `newer` the oldest. */
  Entry *entries = allocate(held + 1, sizeof *entries);
  uint64_t sum = 0;
  for (int i = 0; i < 300000; i++) {
    uint32_t key = prng_skewed(held * 4), *link = &bucket[mix(key) & (buckets - 1)], at = *link;
    while (at != 0 && entries[at].key != key) at = entries[at].chain;
    if (at != 0) {
      hits++;
      sum = mix(sum + entries[at].value[0]);
    } else {
      if (used <= held) {
        at = (uint32_t)used++;
        entries[at].newer = entries[at].older = at;
      } else {
        at = entries[0].newer;
        uint32_t *old = &bucket[mix(entries[at].key) & (buckets - 1)];
        while (*old != at) old = &entries[*old].chain;
        *old = entries[at].chain;
      }
      entries[at].key = key;
      entries[at].chain = *link;
      *link = at;
      for (int j = 0; j < 3; j++) entries[at].value[j] = key * 7u + (unsigned)j;
    }
    Entry *entry = &entries[at];
    if (entry->newer != at) {
      entries[entry->newer].older = entry->older;
      entries[entry->older].newer = entry->newer;
    }
    entry->older = entries[0].older;
    entry->newer = 0;
    entries[entry->older].newer = at;
    entries[0].older = at;
  }
  return report(mix(sum + hits));
}
