"""Quicksort of numbers in a list. Size: numbers, 32 bytes each and the lists that are made on the way."""
import sys

size = int(sys.argv[-1])
state = 12345
numbers = []
for _ in range(size):
    state = (state * 1103515245 + 12345) & 0x7FFFFFFF
    numbers.append(state)


def quick_sort(items):
    if len(items) < 2:
        return items
    pivot = items[len(items) // 2]
    return (
        quick_sort([item for item in items if item < pivot])
        + [item for item in items if item == pivot]
        + quick_sort([item for item in items if item > pivot])
    )


numbers = quick_sort(numbers)
print(sum(number * (index & 15) for index, number in enumerate(numbers)))
