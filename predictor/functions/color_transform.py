"""Turns an RGB image into grey and sepia, pixel by pixel. Size: the side; each pixel is touched once."""
import sys


def main(side):
    pixels = bytes(range(251)) * (side * side * 3 // 251 + 1)
    grey = bytearray(side * side)
    sepia = bytearray(side * side * 3)
    for i in range(side * side):
        red, green, blue = pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2]
        level = (77 * red + 150 * green + 29 * blue) >> 8
        grey[i] = level
        sepia[3 * i] = min(255, level + 40)
        sepia[3 * i + 1] = min(255, level + 20)
        sepia[3 * i + 2] = level
    print(sum(grey) * 31 + sum(sepia))


main(int(sys.argv[-1]))
