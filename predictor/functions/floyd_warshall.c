/* Shortest paths between all pairs, by way of some of the vertices. Size: vertices; the matrix of ints is swept once each. */
#include "prng.h"

int main(int argc, char **argv) {
  size_t n = input_size(argc, argv), through = rounds_for(7000000, n * n, 4, n);
  int32_t *distance = allocate(n * n, sizeof *distance);
  for (size_t i = 0; i < n * n; i++) distance[i] = 1 + (int32_t)prng_below(1000);
  for (size_t k = 0; k < through; k++)
    for (size_t i = 0; i < n; i++) {
      int32_t first = distance[i * n + k];
      for (size_t j = 0; j < n; j++) {
        int32_t sum = first + distance[k * n + j];
        if (sum < distance[i * n + j]) distance[i * n + j] = sum;
      }
    }
  uint64_t sum = 0;
  for (size_t i = 0; i < n * n; i++) sum += (uint64_t)distance[i];
  return report(sum);
}
