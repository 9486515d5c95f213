"""Documents that are wrong in one place, as somebody else's file may be."""

import copy

ODD = (
    None, True, 0, -1, 1.5, 2**31, 2**62, "", "x", "../x", 'a"b', "€" * 70, [], [[]], {}, {"x": 1},
    ["x", "x"],
)  # fmt: skip


def places(value, path=()):
    """The way to every value in a document."""
    yield path
    if isinstance(value, dict | list):
        for name, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(member, (*path, name))


def mutated(document, rng, count):
    """So many documents, each with one value that is another, gone, twice or by another name."""
    every = [path for path in places(document) if path]
    for number in range(count):
        # The outermost more often: there are few of them.
        path = every[rng.integers(len(every))][: None if number % 3 else 1]
        changed = copy.deepcopy(document)
        outer = changed
        for name in path[:-1]:
            outer = outer[name]
        way = rng.integers(8)
        if way == 0:
            del outer[path[-1]]
        elif way == 1 and isinstance(outer, list):
            outer.append(outer[path[-1]])
        elif way == 2 and isinstance(outer, dict):
            outer["stranger"] = outer.pop(path[-1])
        else:
            outer[path[-1]] = ODD[rng.integers(len(ODD))]
        yield changed
