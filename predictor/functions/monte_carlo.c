/* Prices an option by random walks. Size: thousands of steps; nothing but arithmetic. */
#include "prng.h"
#include <math.h>

int main(int argc, char **argv) {
  size_t walks = input_size(argc, argv) * 1000 / 50;
  double paid = 0;
  for (size_t walk = 0; walk < walks; walk++) {
    double logarithm = 0;
    for (int step = 0; step < 50; step++) logarithm += (prng_unit() + prng_unit() + prng_unit() - 1.5) * 0.06;
    double price = 100 * exp(logarithm);
    if (price > 105) paid += price - 105;
  }
  return report((uint64_t)(paid * 1e6));
}
