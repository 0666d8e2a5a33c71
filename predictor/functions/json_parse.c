/* Writes records as JSON and parses them back into a tree. Size: records; text of 60 and nodes of 120 bytes each. */
#include "prng.h"

typedef struct Node {
  struct Node *next, *child;
  const char *key;
  double number;
} Node;

static const char *at;
static Node *nodes;
static size_t used;

static Node *value(void) {
  Node *node = &nodes[used++];
  if (*at == '{' || *at == '[') {
    char close = *at == '{' ? '}' : ']';
    Node **link = &node->child;
    while (*at != close) {
      at++;
      const char *key = NULL;
      if (close == '}') {
        key = ++at;
        while (*at != '"') at++;
        at += 2;
      }
      *link = value();
      (*link)->key = key;
      link = &(*link)->next;
    }
    at++;
    return node;
  }
  for (; *at >= '0' && *at <= '9'; at++) node->number = node->number * 10 + (*at - '0');
  return node;
}

static char *number(char *out, uint32_t n) {
  char digits[10];
  int count = 0;
  do digits[count++] = (char)('0' + n % 10);
  while (n /= 10);
  while (count > 0) *out++ = digits[--count];
  return out;
}

int main(int argc, char **argv) {
  size_t records = input_size(argc, argv), rounds = rounds_for(60000, records, 2, 20);
  char *text = allocate(records + 1, 80);
  nodes = allocate(records * 5 + 1, sizeof *nodes);
  uint64_t sum = 0;
  for (size_t round = 0; round < rounds; round++) {
    char *out = text;
    for (size_t i = 0; i < records; i++) {
      *out++ = i == 0 ? '[' : ',';
      out = number(stpcpy(out, "{\"id\":"), (uint32_t)i);
      out = number(stpcpy(out, ",\"price\":"), prng_below(100000));
      out = number(stpcpy(out, ",\"parts\":["), prng_below(1000));
      out = stpcpy(out, "]}");
    }
    stpcpy(out, "]");
    memset(nodes, 0, used * sizeof *nodes);
    used = 0;
    at = text;
    for (Node *record = value()->child; record != NULL; record = record->next)
      sum = mix(sum + (uint64_t)record->child->next->number);
  }
  return report(sum);
}
