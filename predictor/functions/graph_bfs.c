/* Breadth-first search of a random graph from some sources. Size: vertices, eight edges each; marks are read at random. */
#include "prng.h"

enum { EDGES = 8, SOURCES = 5 };

int main(int argc, char **argv) {
  size_t vertices = input_size(argc, argv);
  uint32_t *to = allocate(vertices * EDGES, sizeof *to), *queue = allocate(vertices, sizeof *queue);
  uint32_t *depth = allocate(vertices, sizeof *depth);
  for (size_t i = 0; i < vertices * EDGES; i++) to[i] = prng_below(vertices);
  uint64_t sum = 0;
  for (int source = 0; source < SOURCES; source++) {
    memset(depth, 0, vertices * sizeof *depth);
    size_t head = 0, tail = 0;
    queue[tail++] = prng_below(vertices);
    depth[queue[0]] = 1;
    while (head < tail) {
      uint32_t vertex = queue[head++];
      sum += depth[vertex];
      for (int edge = 0; edge < EDGES; edge++) {
        uint32_t next = to[vertex * EDGES + edge];
        if (depth[next] != 0) continue;
        depth[next] = depth[vertex] + 1;
        queue[tail++] = next;
      }
    }
  }
  return report(sum);
}
