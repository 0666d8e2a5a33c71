/* Percolation: opens sites of a square grid at random and joins neighbours. Size: the side; 5 bytes a site. */
#include "prng.h"

static uint32_t *parent;

static uint32_t root(uint32_t site) {
  while (parent[site] != site) site = parent[site] = parent[parent[site]];
  return site;
}

int main(int argc, char **argv) {
  size_t side = input_size(argc, argv), sites = side * side, tries = sites < 500000 ? sites : 500000;
  uint8_t *open = allocate(sites, 1);
  uint64_t joins = 0;
  parent = allocate(sites, sizeof *parent);
  for (size_t i = 0; i < sites; i++) parent[i] = (uint32_t)i;
  for (size_t i = 0; i < tries; i++) {
    uint32_t site = prng_below(sites), x = site % side, y = (uint32_t)(site / side);
    if (open[site]) continue;
    open[site] = 1;
    uint32_t near[4], count = 0;
    if (x > 0) near[count++] = site - 1;
    if (x + 1 < side) near[count++] = site + 1;
    if (y > 0) near[count++] = site - (uint32_t)side;
    if (y + 1 < side) near[count++] = site + (uint32_t)side;
    while (count-- > 0) {
      if (!open[near[count]]) continue;
      uint32_t a = root(site), b = root(near[count]);
      if (a != b) parent[a] = b, joins++;
    }
  }
  return report(mix(joins) + root(0));
}
