"""Orders to JSON and back with the module json. Size: orders, some 1.5 KiB of objects and text each."""
import json
import sys

size = int(sys.argv[-1])
orders = [
    {
        "id": number,
        "customer": {"name": f"customer {number % 97}", "city": f"city {number * 7 % 31}"},
        "lines": [{"article": number * line % 1009, "count": line, "price": line * 1.25} for line in range(1, 4)],
        "paid": number % 3 == 0,
    }
    for number in range(size)
]
total = 0
for _ in range(max(1, min(6, 1500 // size))):
    text = json.dumps(orders)
    orders = json.loads(text)
    total += len(text) + sum(order["lines"][2]["count"] for order in orders if order["paid"])
print(total)
