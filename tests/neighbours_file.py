"""neighbours.bin by its documented bytes, and what it adds to scores by its documented sums."""

import struct
from dataclasses import dataclass

import numpy as np

HEADER = 40


@dataclass(frozen=True)
class NeighboursFile:
    """What stands in a file.

    Attributes:
        rows: of each item from 0 on, its scale, and its neighbours' numbers by id.
        last: how many items of a history count.
        decay: of each step back.
        c: of the rise.
        gamma: of the nearness in it.
    """

    rows: tuple[tuple[float, dict[int, int]], ...]
    last: int = 8
    decay: float = 0.7
    c: float = 1.0
    gamma: float = 30.0

    def data(self, version=1, id_bytes=None):
        """The file's bytes."""
        id_bytes = id_bytes or (2 if len(self.rows) <= 65_536 else 4)
        ids = [number for _, row in self.rows for number in sorted(row)]
        weights = [row[number] for _, row in self.rows for number in sorted(row)]
        starts = np.cumsum([0, *(len(row) for _, row in self.rows)])
        return b"".join((
            struct.pack(
                "<4s5I3fI", b"GENB", version, len(self.rows), len(ids), id_bytes, self.last,
                self.decay, self.c, self.gamma, 0,
            ),
            starts.astype("<u4").tobytes(),
            np.array([scale for scale, _ in self.rows], "<f4").tobytes(),
            bytes(weights), np.array(ids, f"<u{id_bytes}").tobytes(),
        ))  # fmt: skip

    def rises(self, history):
        """What is added to the scores after a history, by id, and the item that is why."""
        nearness, shares, total = {}, {}, 0.0
        decay = float(np.float32(self.decay))
        counting = history[-self.last :]
        rows = dict(enumerate(row for _, row in self.rows))
        taken = {item for item in counting if item not in rows.get(item, {})}
        for step, item in enumerate(reversed(counting)):
            total += decay**step
            scale, row = self.rows[item] if item < len(self.rows) else (0.0, {})
            for number, weight in row.items():
                share = decay**step * float(np.float32(scale) * np.float32(weight))
                nearness[number] = nearness.get(number, 0.0) + share
                if share > shares.get(number, (0.0, 0))[0]:
                    shares[number] = share, item
        return {
            number: (self.rise(sum_ / total), shares[number][1])
            for number, sum_ in nearness.items() if number not in taken
        }  # fmt: skip

    def rise(self, nearness):
        """What is added to the score of an item that is so near."""
        return float(np.float32(self.c)) * np.log1p(float(np.float32(self.gamma)) * nearness)


# Of three items; the first and the third have neighbours.
WHOLE = NeighboursFile(((0.0, {}), (0.5, {2: 9, 3: 1}), (0.25, {}), (0.125, {1: 255})))


def drawn_file(rng, items, most=6):
    """A file for a catalogue of so many items; the last of them may have no row."""
    rows = []
    for row in range(1 + items - int(rng.integers(4))):
        size = int(rng.integers(most + 1)) if row and rng.random() < 0.8 else 0
        rows.append((row, size))
    counted = len(rows)
    return NeighboursFile(
        tuple(
            (
                float(np.float32(rng.random() / 500 + 1e-4)) if size else 0.0,
                {
                    int(number): int(rng.integers(1, 256))
                    for number in rng.choice(counted - 1, min(size, counted - 1), replace=False) + 1
                },
            )
            for _, size in rows
        ),
        last=int(rng.choice([1, 2, 8, 64])),
        decay=float(rng.choice([0.7, 1.0, 0.25])),
        c=float(rng.choice([0.0, 0.25, 1.5, 10.0])),
        gamma=float(rng.choice([10.0, 300.0, 1e6])),
    )


def damaged_files():
    """Other bytes than a file for three items has, each of which every reader refuses."""
    data = WHOLE.data()
    rows, count = 4, 3
    scales = HEADER + 4 * (rows + 1)
    weights = scales + 4 * rows
    ids = weights + count

    def put(place, form, *values):
        packed = struct.pack("<" + form, *values)
        return data[:place] + packed + data[place + len(packed) :]

    nan, infinite = float("nan"), float("inf")
    yield from (b"", b"GENC" + data[4:], data[: HEADER - 1], put(4, "I", 0))
    for place, form, values in (
        (8, "I", (0, 1, 3, 5, 2**32 - 1)),  # rows
        (12, "I", (2, 4, 2**32 - 1)),  # neighbours
        (16, "I", (0, 1, 3, 4, 8)),  # bytes of an id
        (20, "I", (0, 65, 2**32 - 1)),  # items that count
        (24, "f", (0, -0.5, 1.5, nan, infinite)),  # decay
        (28, "f", (-0.5, 10.5, nan, infinite)),  # c
        (32, "f", (0, -1, 2e6, nan, infinite)),  # gamma
        (36, "I", (1,)),
        (HEADER, "I", (1, 2**32 - 1)),  # where rows begin
        (HEADER + 4, "I", (1, 3)),
        (HEADER + 12, "I", (1, 4, 2**32 - 1)),
        (HEADER + 4 * rows, "I", (0, 2, 4)),
        (scales, "f", (-1, nan, infinite)),
        (scales + 4, "f", (0, -0.5, nan, infinite)),
        (weights, "B", (0,)), (weights + 2, "B", (0,)),
        (ids, "H", (0, 3, 4, 65_535)), (ids + 2, "H", (1, 2, 4)), (ids + 4, "H", (0, 4)),
    ):  # fmt: skip
        yield from (put(place, form, value) for value in values)
    yield from (data[:-1], data + b"\0", data[:HEADER])
