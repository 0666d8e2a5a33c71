"""Counts clients and failures in a web server's log by a regular expression. Size: lines of 80 bytes, each is read once."""
import re
import sys


def main(size):
    pattern = re.compile(r'^(\d+\.\d+\.\d+\.\d+) - \[([^\]]+)\] "(GET|POST|PUT) (/[\w/]*)(?:\?(\S*))? HTTP" (\d{3}) (\d+)$')
    clients = {}
    failures = 0
    received = 0
    for i in range(size):
        mixed = i * 2654435761 & 0xFFFFFFFF
        line = (
            f'10.0.{mixed >> 24}.{mixed >> 8 & 63} - [25/Nov/2026 10:{i % 60:02d}] '
            f'"GET /shop/item/{mixed % 977}?ref={mixed % 89} HTTP" {200 if mixed % 7 else 503} {mixed % 5000}'
        )
        found = pattern.match(line)
        client = found.group(1)
        clients[client] = clients.get(client, 0) + 1
        if found.group(6) == "503":
            failures += 1
        received += int(found.group(7))
    print(len(clients), failures, received)


main(int(sys.argv[-1]))
