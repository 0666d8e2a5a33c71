"""Counts words. Size: different words, some 150 bytes each in a dictionary; common words are met more often."""
import sys


def main(size):
    state = 424242
    counts = {}
    for _ in range(40000):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        share = (state >> 8) / 16777216
        word = "word%d" % (share * share * size)
        counts[word] = counts.get(word, 0) + 1
    common = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:10]
    print(len(counts), sum(count for _, count in common), common[0][0])


main(int(sys.argv[-1]))
