"""Compresses text with zlib. Size: KiB of text; its window and tables, some 256 KiB, stay in use."""
import sys
import zlib

size = int(sys.argv[-1]) * 1024
state = 99
words = []
for _ in range(500):
    state = (state * 1103515245 + 12345) & 0x7FFFFFFF
    words.append(f"{state:x}"[:6])
text = []
length = 0
while length < size:
    state = (state * 1103515245 + 12345) & 0x7FFFFFFF
    word = words[(state >> 8) % 500]
    text.append(word)
    length += len(word) + 1
data = " ".join(text).encode()
packed = zlib.compress(data, 6)
print(len(packed), zlib.crc32(packed), zlib.decompress(packed) == data)
