/* Minimum spanning tree by Kruskal. Size: vertices, four edges each; the edges are radix-sorted, the sets joined at random. */
#include "prng.h"

typedef struct {
  uint32_t weight, from, to;
} Edge;

static uint32_t root(uint32_t *parent, uint32_t vertex) {
  while (parent[vertex] != vertex) vertex = parent[vertex] = parent[parent[vertex]];
  return vertex;
}

int main(int argc, char **argv) {
  size_t vertices = input_size(argc, argv), count = vertices * 4;
  Edge *edges = allocate(count, sizeof *edges), *sorted = allocate(count, sizeof *sorted);
  uint32_t *parent = allocate(vertices, sizeof *parent);
  for (size_t i = 0; i < count; i++)
    edges[i] = (Edge){prng_below(1 << 22), prng_below(vertices), prng_below(vertices)};
  for (int shift = 0; shift < 22; shift += 11) {
    size_t places[2049] = {0};
    for (size_t i = 0; i < count; i++) places[(edges[i].weight >> shift & 2047) + 1]++;
    for (int bucket = 0; bucket < 2048; bucket++) places[bucket + 1] += places[bucket];
    for (size_t i = 0; i < count; i++) sorted[places[edges[i].weight >> shift & 2047]++] = edges[i];
    Edge *last = edges;
    edges = sorted;
    sorted = last;
  }
  for (size_t i = 0; i < vertices; i++) parent[i] = (uint32_t)i;
  uint64_t total = 0;
  for (size_t i = 0; i < count; i++) {
    uint32_t a = root(parent, edges[i].from), b = root(parent, edges[i].to);
    if (a == b) continue;
    parent[a] = b;
    total += edges[i].weight;
  }
  return report(total);
}
