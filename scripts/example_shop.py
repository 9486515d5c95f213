"""Writes the shop of README's example: who tapped what, and a table of the items; made up, seeded.

    python scripts/example_shop.py examples/shop

A visitor has one or two hobbies, takes the things of each in about the order in which they stand
here, looks at something else now and then, and leaves early or late. A test holds that the two
files are what this writes.
"""

from __future__ import annotations

import csv
import random
import sys
from datetime import datetime, timedelta
from pathlib import Path

VISITORS = 300
START = datetime(2026, 3, 1, 8)
SHOP = {
    "Camping": (
        "Tent for two", "Sleeping mat", "Sleeping bag", "Inflatable pillow", "Gas stove",
        "Gas cartridge, 230 g", "Titanium pot, 0.9 l", "Spork", "Headlamp", "Water filter",
    ),
    "Coffee": (
        "Coffee beans, 1 kg", "Hand grinder", "Hand dripper", "Paper filters, 100",
        "Gooseneck kettle", "Brewing scale", "Glass server", "Stoneware mug", "Milk jug",
        "Travel press",
    ),
    "Bread": (
        "Rye flour, 5 kg", "Sourdough starter", "Proving basket", "Linen cloth", "Dough scraper",
        "Bread lame", "Baking stone", "Cast-iron pot", "Wooden peel", "Bread knife",
    ),
    "Cycling": (
        "Helmet", "Front light", "Rear light", "Folding lock", "Pannier, 20 l", "Floor pump",
        "Inner tube", "Tyre levers", "Multitool", "Chain oil",
    ),
    "Garden": (
        "Tomato seeds", "Basil seeds", "Seed tray", "Potting soil, 40 l", "Terracotta pot",
        "Hand trowel", "Gloves", "Secateurs", "Watering can, 9 l", "Garden twine",
    ),
}  # fmt: skip
STEPS, WEIGHTS = (1, 2, -1, 3), (55, 20, 10, 15)  # along a hobby's things
STROLL, LEAVE = 0.12, 0.06  # how often a tap is on anything at all, and is a hobby's last


def main(folder: Path) -> None:
    """Write both files."""
    things = {hobby: [_key(title) for title in titles] for hobby, titles in SHOP.items()}
    draw = random.Random(1)
    taps = sorted(
        (moment.isoformat(sep=" "), f"v{visitor:03d}", item)
        for visitor in range(VISITORS)
        for moment, item in _visits(draw, things)
    )
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "taps.csv", ("time", "visitor", "sku"), taps)
    products = [(_key(title), title, hobby) for hobby, titles in SHOP.items() for title in titles]
    _write(folder / "products.csv", ("sku", "title", "category"), products)


def _visits(draw: random.Random, things: dict[str, list[str]]) -> list[tuple[datetime, str]]:
    """When one visitor tapped what; nothing twice."""
    every = [item for items in things.values() for item in items]
    moment = START + timedelta(minutes=draw.randrange(90 * 24 * 60))
    taps: list[tuple[datetime, str]] = []
    for hobby in draw.sample(list(things), draw.choice((1, 1, 2))):
        place = draw.choice((0, 0, 0, 1, 2, 4))
        while place < len(things[hobby]) and draw.random() >= LEAVE:
            anything = draw.random() < STROLL
            item = draw.choice(every) if anything else things[hobby][place]
            if all(item != before for _, before in taps):
                taps.append((moment, item))
            moment += timedelta(seconds=draw.randint(20, 900))
            place = max(0, place + draw.choices(STEPS, WEIGHTS)[0])
        moment += timedelta(days=draw.randint(1, 9))
    return taps


def _key(title: str) -> str:
    return "-".join(title.lower().partition(",")[0].split())


def _write(path: Path, header: tuple[str, ...], rows: list[tuple[str, str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
