/* The sieve of Eratosthenes on bytes. Size: thousands of numbers; each prime strides through all of them. */
#include "prng.h"

int main(int argc, char **argv) {
  size_t limit = input_size(argc, argv) * 1000, repeats = rounds_for(6000000, limit, 1, 20);
  uint8_t *composite = allocate(limit + 1, 1);
  uint64_t sum = 0;
  for (size_t repeat = 0; repeat < repeats; repeat++) {
    memset(composite, 0, limit + 1);
    for (size_t i = 2; i * i <= limit; i++)
      if (!composite[i])
        for (size_t j = i * i; j <= limit; j += i) composite[j] = 1;
    for (size_t i = 2; i <= limit; i++) sum += composite[i] ? 0 : i;
  }
  return report(sum);
}
