"""A shop's log as shops have them, with every trouble named; seeded, no real data."""

import csv
import random
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone

HEADER = ("event_time", "event_type", "customer_id", "session_id", "sku", "price")
CATEGORIES = ("shoes", "shirts, tops", "hats", 'bags "small"')
START = datetime(2024, 3, 1, tzinfo=UTC)


def write_shop(folder, visitors=3000, skus=800, seed=0):
    """Write `taps.csv` and `products.csv`.

    Returns:
        How often each trouble of `taps.csv` occurs, by name.
    """
    draw = random.Random(seed)
    troubles: Counter[str] = Counter()
    rows = []
    for visitor in range(visitors):
        anonymous = draw.random() < 0.1
        customer = draw.choice(["", "NULL"]) if anonymous else f"C{visitor:05d}"
        session = visitor * 10
        moment = START + timedelta(seconds=draw.randrange(90 * 86_400))
        item = draw.randrange(skus)
        for step in range(draw.randint(1, 12)):
            if step and draw.random() < 0.41:
                troubles["the item just before again"] += 1
            else:
                item = min(int(draw.expovariate(12 / skus)), skus - 1)
            if draw.random() < 0.15:
                troubles["a break of an hour or more"] += 1
                moment += timedelta(hours=draw.randint(1, 72))
                session += 1
            elif draw.random() < 0.05:
                troubles["the same second as the tap before"] += step > 0
            else:
                moment += timedelta(seconds=draw.randint(1, 600))
            event = draw.choices(["view", "cart", "buy"], [80, 15, 5])[0]
            zone = timezone(timedelta(hours=draw.choice([-5, 0, 0, 0, 2])))
            row = (
                moment.astimezone(zone).isoformat(), event, customer, f"s{session}",
                f"{item:04d}-{'SML'[item % 3]}", f"{5 + item % 90}.90",
            )  # fmt: skip
            troubles["no customer, but a session"] += anonymous
            rows.append(row)
            if draw.random() < 0.01:
                troubles["the same row again"] += 1
                rows.append(row)
        if draw.random() < 0.02:
            troubles["no sku"] += 1
            rows.append((moment.isoformat(), "view", customer, f"s{session}", "", ""))
    draw.shuffle(rows)
    _write(folder / "taps.csv", HEADER, rows)
    _write(
        folder / "products.csv", ("sku", "title", "category", "brand"),
        [
            (f"{n:04d}-{'SML'[n % 3]}", f"No. {n}, in blue", CATEGORIES[n % 4], f"brand {n % 7}")
            for n in range(skus)
        ],
    )  # fmt: skip
    return troubles


def _write(path, header, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
