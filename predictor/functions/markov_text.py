"""Learns which word follows two others, then makes up text. Size: thousands of words learned, some 250 bytes each."""
import sys


def main(size):
    state = 2026
    follow = {}
    first, second = 0, 1
    for _ in range(size):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        third = ((first * 31 + second * 17) % 1500 + (state >> 28)) % 1500
        follow.setdefault((first, second), []).append(third)
        first, second = second, third
    made = 0
    for _ in range(12000):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        choices = follow.get((first, second))
        third = choices[(state >> 8) % len(choices)] if choices else state % 1500
        made = made * 31 + third & 0xFFFFFFFF
        first, second = second, third
    print(len(follow), made)


main(int(sys.argv[-1]) * 1000)
