/* Merge sort from the bottom up. Size: numbers of 4 bytes; two arrays are swept once a level. */
#include "prng.h"

int main(int argc, char **argv) {
  size_t n = input_size(argc, argv);
  uint32_t *from = allocate(n, sizeof *from), *to = allocate(n, sizeof *to);
  for (size_t i = 0; i < n; i++) from[i] = (uint32_t)(prng_next() >> 32);
  for (size_t width = 1; width < n; width *= 2) {
    for (size_t start = 0; start < n; start += 2 * width) {
      size_t middle = start + width < n ? start + width : n, end = start + 2 * width < n ? start + 2 * width : n;
      size_t left = start, right = middle;
      for (size_t i = start; i < end; i++)
        to[i] = left < middle && (right >= end || from[left] <= from[right]) ? from[left++] : from[right++];
    }
    uint32_t *last = from;
    from = to;
    to = last;
  }
  uint64_t sum = 0;
  for (size_t i = 0; i < n; i += 7) sum = mix(sum + from[i]);
  return report(sum);
}
