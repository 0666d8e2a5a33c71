/* CRC-32 of a file's blocks, checked twice: sent and received. Size: KiB; each block of 256 KiB is read twice in a row. */
#include "prng.h"

enum { BLOCK = 256 * 1024 };

static uint32_t table[256];

static uint32_t crc32(const uint8_t *bytes, size_t length) {
  uint32_t crc = 0xffffffff;
  for (size_t i = 0; i < length; i++) crc = table[(crc ^ bytes[i]) & 255] ^ crc >> 8;
  return ~crc;
}

int main(int argc, char **argv) {
  size_t length = input_size(argc, argv) * 1024;
  uint8_t *data = allocate(length, 1);
  for (uint32_t i = 0; i < 256; i++) {
    table[i] = i;
    for (int bit = 0; bit < 8; bit++) table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320 : 0);
  }
  for (size_t i = 0; i < length; i += 16) data[i] = (uint8_t)(i >> 4);
  uint64_t sum = 0;
  for (size_t from = 0; from < length; from += BLOCK) {
    size_t part = length - from < BLOCK ? length - from : BLOCK;
    uint32_t sent = crc32(data + from, part), received = crc32(data + from, part);
    sum = mix(sum + sent + (sent != received));
  }
  return report(sum);
}
