"""A binary search tree of objects: inserts, then look-ups. Size: keys, some 100 bytes each, touched along random paths."""
import sys


class Node:
    __slots__ = ("key", "left", "right")

    def __init__(self, key):
        self.key = key
        self.left = None
        self.right = None


def main(size):
    state = 2463534242
    root = Node(1 << 31)
    for _ in range(size):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        key = state
        node = root
        while True:
            if key < node.key:
                if node.left is None:
                    node.left = Node(key)
                    break
                node = node.left
            else:
                if node.right is None:
                    node.right = Node(key)
                    break
                node = node.right

    steps = 0
    for _ in range(1500):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        node = root
        while node is not None:
            steps += 1
            node = node.left if state < node.key else node.right
    print(steps)


main(int(sys.argv[-1]))
