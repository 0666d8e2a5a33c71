/* Forces between bodies, all of which pull at each of some. Size: bodies of 64 bytes; they are swept once a body. */
#include "prng.h"
#include <math.h>

typedef struct {
  double x, y, z, mass, vx, vy, vz, spare;
} Body;

int main(int argc, char **argv) {
  size_t n = input_size(argc, argv), moved = rounds_for(1000000, n, 6, n);
  Body *bodies = allocate(n, sizeof *bodies);
  for (size_t i = 0; i < n; i++)
    bodies[i] = (Body){prng_unit(), prng_unit(), prng_unit(), 1.0 + (double)(i % 3), 0, 0, 0, 0};
  for (size_t i = 0; i < moved; i++) {
    Body *body = &bodies[i];
    for (size_t j = 0; j < n; j++) {
      double dx = bodies[j].x - body->x, dy = bodies[j].y - body->y, dz = bodies[j].z - body->z;
      double square = dx * dx + dy * dy + dz * dz + 1e-6, pull = bodies[j].mass / (square * sqrt(square));
      body->vx += dx * pull;
      body->vy += dy * pull;
      body->vz += dz * pull;
    }
  }
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += fabs(bodies[i].vx) + fabs(bodies[i].vy) + fabs(bodies[i].vz);
  return report((uint64_t)sum);
}
