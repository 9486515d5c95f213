"""The catalogue of an app whose window is short."""

from hypothesis import strategies as st

N, ITEMS = 6, 40
KEYS = [f"k{n}" for n in range(1, ITEMS + 1)]
keys = st.lists(st.sampled_from(KEYS), max_size=3 * N)
