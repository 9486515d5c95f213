"""The web library's sessions that are longer than the window, with states that are known."""

import numpy as np
import pytest

pytestmark = pytest.mark.slow

ITEMS = 60
KEYS = [f"k{number}" for number in range(1, ITEMS + 1)]
BUNDLE = {"items": {"keys": KEYS}, "topK": 1, "scores": [0] * (ITEMS + 2)}


def mark_of(ids):
    """A state's second number after these items."""
    mark = 0
    for number in ids:
        mark = (mark * 7 + number) % 10007
    return mark


@pytest.mark.parametrize(
    ("window", "padding", "most", "slack"),
    [("sliding", "masked", 9, 2), ("sliding", None, 3, 0), ("sliding", "reference", 8, 0),
     ("sliding", "masked", 1, 0), ("unbounded", "masked", 8, None)],
)  # fmt: skip
def test_a_session_beyond_the_window_is_encoded_anew_once_in_a_while(
    node, window, padding, most, slack
):
    rng = np.random.default_rng(1)
    ids = rng.integers(1, ITEMS + 1, 40).tolist()
    states, calls = node(
        """const { bundle, keys, first } = values, states = [];
        const { recommender, calls } = load(bundle);
        let session = await recommender.start(keys.slice(0, first));
        for (const [place, key] of keys.slice(first).entries()) {
            await session.append(key);
            states.push([...session.state]);
            // What was saved goes on as what was not.
            if (place % 5 === 0) session = recommender.resume(session.save());
        }
        return [states, calls];""",
        {
            "bundle": BUNDLE | {"window": window, "padding": padding, "maxLength": most},
            "keys": [KEYS[number - 1] for number in ids], "first": 5,
        },
    )  # fmt: skip
    held = ids[:5] if slack is None else ids[:5][-most:]
    expected, log = [[len(held), mark_of(held)]], [f"encode {len(held)}"]
    for place, number in enumerate(ids[5:], 6):
        if slack is not None and len(held) >= most + slack:
            held = ids[place - most : place]
            log.append(f"encode {most}")
        else:
            held = [*held, number]
            log.append("append")
        expected.append([len(held), mark_of(held)])
    assert states == expected[1:]
    assert calls == log


def test_a_saved_session_keeps_what_still_counts(node):
    rng = np.random.default_rng(2)
    histories = [rng.integers(1, 9, rng.integers(0, 30)).tolist() for _ in range(40)]
    saved, unbounded = node(
        """const ids = (bytes) => {
            const view = new DataView(bytes.buffer);
            return Array.from({ length: view.getUint32(12, true) }, (_, place) =>
                view.getInt32(52 + 4 * (2 + place), true));
        };
        return Promise.all(['sliding', 'unbounded'].map((window) => {
            const { recommender } = load({ ...values.bundle, window });
            return Promise.all(values.histories.map(async (keys) => {
                const saved = (await recommender.start(keys)).save();
                return [ids(saved), ids(recommender.resume(saved).save())];
            }));
        }));""",
        {
            "bundle": BUNDLE | {"maxLength": 6},
            "histories": [[KEYS[number - 1] for number in history] for history in histories],
        },
    )
    for history, (once, twice) in zip(histories, saved, strict=True):
        before, last = history[:-6], history[-6:]
        earlier = [
            number for place, number in enumerate(before)
            if number not in before[place + 1 :] and number not in last
        ]  # fmt: skip
        expected = [*earlier, *last] if len(history) > 6 else history
        assert once == twice == expected
    assert [each[0] for each in unbounded] == histories
