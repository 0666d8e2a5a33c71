/* What the functions in C share: the input size, memory, random numbers with a fixed seed, the line of output. */
#ifndef PRNG_H
#define PRNG_H
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t prng_state = 0x9e3779b97f4a7c15u;

/* xorshift64* (Vigna, 2016). */
static inline uint64_t prng_next(void) {
  prng_state ^= prng_state >> 12;
  prng_state ^= prng_state << 25;
  prng_state ^= prng_state >> 27;
  return prng_state * 0x2545f4914f6cdd1du;
}

/* 0 to bound - 1; bound below 2^32. */
static inline uint32_t prng_below(uint64_t bound) { return (uint32_t)((prng_next() >> 32) * bound >> 32); }

/* 0 to below 1. */
static inline double prng_unit(void) { return (double)(prng_next() >> 11) * 0x1p-53; }

/* Skewed to small numbers, as keys are that people ask for. */
static inline uint32_t prng_skewed(uint64_t bound) {
  double u = prng_unit();
  return (uint32_t)(u * u * u * (double)bound);
}

static inline uint64_t mix(uint64_t key) {
  key = (key ^ (key >> 31)) * 0x7fb5d329728ea185u;
  return (key ^ (key >> 27)) * 0x81dadef4bc2dd44du;
}

static inline void *allocate(size_t count, size_t bytes) {
  void *memory = calloc(count, bytes);
  if (memory == NULL) {
    fputs("out of memory\n", stderr);
    exit(1);
  }
  return memory;
}

static inline size_t input_size(int argc, char **argv) {
  size_t size = argc < 2 ? 0 : strtoul(argv[argc - 1], NULL, 10);
  if (size == 0) {
    fputs("the last argument is the input size, a number above zero\n", stderr);
    exit(2);
  }
  return size;
}

/* How often something is repeated that costs `each`, so that all of it costs about `work`. */
static inline size_t rounds_for(size_t work, size_t each, size_t least, size_t most) {
  size_t rounds = work / (each + 1);
  return rounds < least ? least : rounds > most ? most : rounds;
}

static inline int report(uint64_t checksum) { return printf("%016" PRIx64 "\n", checksum) < 0; }
#endif
