/* Heap sort. Size: numbers of 8 bytes; the top of the heap is hot, its leaves are touched at random. */
#include "prng.h"

static void sink(uint64_t *heap, size_t at, size_t count) {
  uint64_t value = heap[at];
  for (size_t child; (child = 2 * at + 1) < count; at = child) {
    if (child + 1 < count && heap[child + 1] > heap[child]) child++;
    if (heap[child] <= value) break;
    heap[at] = heap[child];
  }
  heap[at] = value;
}

int main(int argc, char **argv) {
  size_t n = input_size(argc, argv), removed = n < 150000 ? n : 150000;
  uint64_t *heap = allocate(n, sizeof *heap), sum = 0;
  for (size_t i = 0; i < n; i++) heap[i] = prng_next();
  for (size_t i = n / 2; i-- > 0;) sink(heap, i, n);
  /* Of a very long list only the largest are taken. */
  for (size_t end = n; end-- > n - removed;) {
    uint64_t largest = heap[0];
    heap[0] = heap[end];
    heap[end] = largest;
    sink(heap, 0, end);
    sum = mix(sum + largest);
  }
  return report(sum);
}
