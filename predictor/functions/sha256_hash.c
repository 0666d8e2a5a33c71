/* SHA-256 (FIPS 180-4) of a message. Size: KiB; it is read once, the work is arithmetic. */
#include "prng.h"
#include <math.h>

static uint32_t round_constants[64], state[8];

static inline uint32_t turn(uint32_t x, int by) { return x >> by | x << (32 - by); }

/* The first bits of the fractional parts of square and cube roots of the primes. */
static void set_up(void) {
  for (int n = 2, count = 0; count < 64; n++) {
    int divisor = 2;
    while (divisor * divisor <= n && n % divisor != 0) divisor++;
    if (divisor * divisor <= n) continue;
    if (count < 8) state[count] = (uint32_t)(int64_t)(fmod(sqrt(n), 1) * 0x1p32);
    round_constants[count++] = (uint32_t)(int64_t)(fmod(cbrt(n), 1) * 0x1p32);
  }
}

static void block(const uint8_t *bytes) {
  uint32_t w[64], s[8];
  for (int i = 0; i < 16; i++)
    w[i] = (uint32_t)bytes[4 * i] << 24 | bytes[4 * i + 1] << 16 | bytes[4 * i + 2] << 8 | bytes[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    uint32_t a = w[i - 15], b = w[i - 2];
    w[i] = w[i - 16] + w[i - 7] + (turn(a, 7) ^ turn(a, 18) ^ a >> 3) + (turn(b, 17) ^ turn(b, 19) ^ b >> 10);
  }
  memcpy(s, state, sizeof s);
  for (int i = 0; i < 64; i++) {
    uint32_t e = s[4], a = s[0];
    uint32_t first = s[7] + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & s[5]) ^ (~e & s[6]));
    first += round_constants[i] + w[i];
    uint32_t second = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
    memmove(s + 1, s, 7 * sizeof *s);
    s[4] += first;
    s[0] = first + second;
  }
  for (int i = 0; i < 8; i++) state[i] += s[i];
}

int main(int argc, char **argv) {
  size_t length = input_size(argc, argv) * 1024;
  uint8_t *message = allocate(length + 64, 1);
  for (size_t i = 0; i < length; i++) message[i] = (uint8_t)i;
  message[length] = 0x80;
  for (int i = 0; i < 8; i++) message[length + 63 - i] = (uint8_t)(length * 8 >> (8 * i));
  set_up();
  for (size_t i = 0; i <= length; i += 64) block(message + i);
  return report((uint64_t)state[0] << 32 | state[1]);
}
