/* Dijkstra with a binary heap on a random graph. Size: vertices, six edges each; 60 bytes and the heap, touched at random. */
#include "prng.h"

enum { EDGES = 6 };

typedef struct {
  uint32_t distance, vertex;
} Item;

int main(int argc, char **argv) {
  size_t n = input_size(argc, argv), settled = 0, count = 0, searches = rounds_for(60000, n, 1, 12);
  uint32_t *edge = allocate(n * EDGES, 8), *best = allocate(n, sizeof *best);
  Item *heap = allocate(n * EDGES + 2, sizeof *heap);
  uint64_t sum = 0;
  for (size_t i = 0; i < n * EDGES * 2; i += 2) edge[i] = prng_below(n), edge[i + 1] = 1 + prng_below(255);
  for (size_t search = 0; search < searches; search++, settled = count = 0) {
    memset(best, 255, n * sizeof *best);
    heap[++count] = (Item){0, (uint32_t)search};
    best[search] = 0;
    while (count > 0 && settled < 90000) {
      Item top = heap[1], moved = heap[count--];
      size_t at = 1;
      for (size_t child; (child = 2 * at) <= count; at = child) {
        if (child < count && heap[child + 1].distance < heap[child].distance) child++;
        if (heap[child].distance >= moved.distance) break;
        heap[at] = heap[child];
      }
      heap[at] = moved;
      if (top.distance > best[top.vertex]) continue;
      settled++;
      sum += top.distance;
      for (const uint32_t *to = edge + top.vertex * EDGES * 2, *end = to + EDGES * 2; to < end; to += 2) {
        uint32_t distance = top.distance + to[1];
        if (distance >= best[to[0]]) continue;
        best[to[0]] = distance;
        for (at = ++count; at > 1 && heap[at / 2].distance > distance; at /= 2) heap[at] = heap[at / 2];
        heap[at] = (Item){distance, to[0]};
      }
    }
  }
  return report(sum);
}
