"""Logs that several tests read."""

import numpy as np


def write_ring(path, users=60, items=20, longest=40):
    """Users who walk round a ring of items: the next item is certain."""
    rng = np.random.default_rng(0)
    lines = []
    for user in range(users):
        start, length = rng.integers(items), rng.integers(5, longest)
        lines.append(f"{user} " + " ".join(f"i{(start + n) % items}" for n in range(length)))
    path.write_text("\n".join(lines) + "\n")
    return path
