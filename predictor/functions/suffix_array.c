/* Suffix array by doubling prefixes, four rounds. Size: letters, 24 bytes each; ranks are read at random. */
#include "prng.h"

int main(int argc, char **argv) {
  size_t n = input_size(argc, argv), names = n > 256 ? n : 256;
  uint32_t *suffix = allocate(n, 4), *rank = allocate(n, 4), *second = allocate(n, 4), *next = allocate(n, 4);
  uint32_t *places = allocate(names + 2, 4);
  for (size_t i = 0; i < n; i++) rank[i] = prng_below(4) + 1;
  size_t alphabet = 6;
  for (size_t width = 1; width <= 8 && width < n; width *= 2) {
    /* By the second half first: suffixes without one, then the others in the order of the last round. */
    memset(places, 0, (names + 2) * sizeof *places);
    for (size_t i = 0; i < n; i++) places[(i + width < n ? rank[i + width] : 0) + 1]++;
    for (size_t i = 0; i < alphabet; i++) places[i + 1] += places[i];
    for (size_t i = 0; i < n; i++) second[places[i + width < n ? rank[i + width] : 0]++] = (uint32_t)i;
    memset(places, 0, (names + 2) * sizeof *places);
    for (size_t i = 0; i < n; i++) places[rank[i] + 1]++;
    for (size_t i = 0; i < alphabet; i++) places[i + 1] += places[i];
    for (size_t i = 0; i < n; i++) suffix[places[rank[second[i]]]++] = second[i];
    uint32_t name = 1;
    next[suffix[0]] = name;
    for (size_t i = 1; i < n; i++) {
      uint32_t a = suffix[i - 1], b = suffix[i];
      uint32_t halfA = a + width < n ? rank[a + width] : 0, halfB = b + width < n ? rank[b + width] : 0;
      if (rank[a] != rank[b] || halfA != halfB) name++;
      next[b] = name;
    }
    uint32_t *last = rank;
    rank = next;
    next = last;
    alphabet = (size_t)name + 1 < names ? (size_t)name + 1 : names;
  }
  uint64_t sum = 0;
  for (size_t i = 0; i < n; i += 11) sum = mix(sum + suffix[i]);
  return report(sum);
}
