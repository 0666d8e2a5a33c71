"""Shortest ways in a road network with heapq. Size: crossings with four roads each, some 400 bytes of lists and tuples."""
import sys
from heapq import heappop, heappush


def main(size):
    state = 31337
    roads = []
    for crossing in range(size):
        near = []
        for hop in (1, 2, 40):
            state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
            near.append(((crossing + hop) % size, 1 + (state >> 20) % 60))
        near.append(((state >> 3) % size, 1 + (state >> 24)))
        roads.append(near)
    best = {0: 0}
    queue = [(0, 0)]
    settled = 0
    while queue and settled < 6000:
        distance, crossing = heappop(queue)
        if distance > best[crossing]:
            continue
        settled += 1
        for other, length in roads[crossing]:
            new = distance + length
            if other not in best or new < best[other]:
                best[other] = new
                heappush(queue, (new, other))
    print(settled, sum(best.values()))


main(int(sys.argv[-1]))
