"""Histories taken in by a loaded artifact."""


def recommend_history(runtime, ids, window):
    """The top-k after a history, its last items taken in by `append_many`.

    Args:
        runtime: a loaded artifact.
        ids: item ids, oldest first; may be empty.
        window: how many of its last items count; None: all. A bundle says which.

    Returns:
        Items int64 [1, k], best first, and scores float32 [1, k].
    """
    kept = ids if window is None else ids[-window:]
    items, scores = runtime.recommend(runtime.append_many(runtime.empty_state(), kept))
    return runtime.to_numpy(items), runtime.to_numpy(scores)
