"""Reads a table of sales as CSV and sums it by article. Size: rows, some 300 bytes each once they are split."""
import sys


def main(size):
    lines = ["date,article,count,price"]
    for i in range(size):
        mixed = i * 2654435761 & 0xFFFFFFFF
        lines.append(f"2026-{i % 12 + 1:02d}-{i % 28 + 1:02d},article {mixed % 211},{mixed >> 28},{(mixed >> 8) % 10000 / 100}")
    text = "\n".join(lines)
    rows = [line.split(",") for line in text.split("\n")]
    header = rows.pop(0)
    count, price = header.index("count"), header.index("price")
    totals = {}
    for _ in range(3):
        for row in rows:
            totals[row[1]] = totals.get(row[1], 0.0) + int(row[count]) * float(row[price])
    print(len(totals), round(sum(totals.values())))


main(int(sys.argv[-1]))
