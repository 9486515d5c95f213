"""A plain-Python reading of the rules, with all their options."""

from collections import Counter

MISSING = ("", "NULL", "None", "NA", "nan")


def naive(rows, *, session=False, keep_missing=False, only=None, weights=None, min_rating=None,
          gap=None, collapse=False, k_core=0, shortest=3):  # fmt: skip
    """Items with their weights, in order, by user; and how many rows were left out, by reason.

    Args:
        rows: dictionaries of `user`, `item`, `time`, and perhaps `session`, `event` and `rating`.
        session: take the session where the user is missing.
        keep_missing: see `load_log`, and so are the others.
        only: see there.
        weights: see there, as a mapping.
        min_rating: see there.
        gap: in the unit of the times.
        collapse: see there.
        k_core: see there.
        shortest: see there.
    """
    dropped, taps = Counter(), {}
    # No user's key begins as a session's does.
    taken = any(row["user"].strip().startswith("session:") for row in rows)
    prefix = ("session::" if taken else "session:") if session else None
    for at, row in enumerate(rows):
        user, item = _user(row, prefix, keep_missing), row["item"].strip()
        weight = 1.0 if weights is None else weights.get(row["event"])
        other = weight is None or (only is not None and row["event"] not in only)
        low = min_rating is not None and float(row["rating"] or -1) < min_rating
        reasons = {"user": not user, "item": _missing(item, keep_missing), "event": other,
                   "rating": low}  # fmt: skip
        if reason := next((name for name, holds in reasons.items() if holds), None):
            dropped[reason] += 1
            continue
        key = user, item, row["time"]
        dropped["duplicate"] += key in taps
        first, heavier = taps.get(key, (at, weight))
        taps[key] = first, max(weight, heavier)
    return _stable(_cut(taps, gap), collapse, k_core, shortest), dropped


def _user(row, prefix, keep_missing):
    if not _missing(user := row["user"].strip(), keep_missing):
        return user
    own = row["session"].strip() if prefix else ""
    return "" if _missing(own, keep_missing) else prefix + own


def _cut(taps, gap):
    """Each user's taps in order, in parts where a gap is between them."""
    histories, cut = {}, {}
    for (user, item, time), (at, weight) in taps.items():
        histories.setdefault(user, []).append((time, at, item, weight))
    for user, history in histories.items():
        number, before = 1, None
        for tap in sorted(history):
            number += gap is not None and before is not None and tap[0] - before > gap
            before = tap[0]
            cut.setdefault(f"{user}#{number}" if gap is not None else user, []).append(tap)
    return cut


def _missing(key, keep_missing):
    return not key if keep_missing else key in MISSING


def _stable(histories, collapse, k_core, shortest):
    while True:
        before = histories
        histories = _core(histories, k_core)
        if collapse:
            histories = {user: _collapsed(taps) for user, taps in histories.items()}
        histories = {user: taps for user, taps in histories.items() if len(taps) >= shortest}
        if histories == before:
            return {u: [(item, w) for _, _, item, w in taps] for u, taps in histories.items()}


def _core(histories, k):
    while True:
        before = histories
        items = Counter(tap[2] for taps in histories.values() for tap in taps)
        histories = {
            user: kept
            for user, taps in histories.items()
            if len(taps) >= k and (kept := [tap for tap in taps if items[tap[2]] >= k])
        }
        if histories == before:
            return histories


def _collapsed(taps):
    kept = []
    for time, at, item, weight in taps:
        if kept and kept[-1][2] == item:
            kept[-1] = (*kept[-1][:3], max(weight, kept[-1][3]))
        else:
            kept.append((time, at, item, weight))
    return kept
