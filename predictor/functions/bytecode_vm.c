/* An interpreter of byte code whose program goes through its memory in a cycle. Size: words of 8 bytes; some 30 instructions a word. */
#include "prng.h"

enum { LOAD, ADD, STORE, INCREMENT, LESS, JUMP_IF, HALT };

int main(int argc, char **argv) {
  size_t words = input_size(argc, argv), laps = rounds_for(900000, words, 3, 40);
  uint64_t *memory = allocate(words, sizeof *memory), registers[4] = {0};
  const uint8_t program[] = {LOAD, 0, 1, ADD, 1, 2, STORE, 0, 2, INCREMENT, 0, 0, LESS, 0, 3, JUMP_IF, 3, 0, HALT};
  for (size_t lap = 0; lap < laps; lap++) {
    registers[0] = 0;
    for (size_t counter = 0, running = 1; running;) {
      uint8_t a = program[counter + 1], b = program[counter + 2];
      switch (program[counter]) {
        case LOAD: registers[b] = memory[registers[a]]; break;
        case ADD: registers[b] += registers[a] + lap; break;
        case STORE: memory[registers[a]] = registers[b]; break;
        case INCREMENT: registers[a]++; break;
        case LESS: registers[b] = registers[a] < words; break;
        case JUMP_IF:
          if (registers[a]) counter = (size_t)b - 3;
          break;
        default: running = 0;
      }
      counter += 3;
    }
  }
  return report(mix(registers[2]));
}
