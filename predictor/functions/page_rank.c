/* Page rank of a random graph. Size: pages, eight links each; 48 bytes a page, the ranks read at random. */
#include "prng.h"

enum { LINKS = 8, ITERATIONS = 8 };

int main(int argc, char **argv) {
  size_t pages = input_size(argc, argv);
  uint32_t *from = allocate(pages * LINKS, sizeof *from);
  double *rank = allocate(pages, sizeof *rank), *next = allocate(pages, sizeof *next);
  for (size_t i = 0; i < pages * LINKS; i++) from[i] = prng_below(pages);
  for (size_t i = 0; i < pages; i++) rank[i] = 1.0 / (double)pages;
  for (int iteration = 0; iteration < ITERATIONS; iteration++) {
    for (size_t page = 0; page < pages; page++) {
      double sum = 0;
      for (int link = 0; link < LINKS; link++) sum += rank[from[page * LINKS + link]];
      next[page] = 0.15 / (double)pages + 0.85 * sum / LINKS;
    }
    double *last = rank;
    rank = next;
    next = last;
  }
  double sum = 0;
  for (size_t i = 0; i < pages; i++) sum += rank[i] * (double)(i % 97);
  return report((uint64_t)(sum * 1e9));
}
