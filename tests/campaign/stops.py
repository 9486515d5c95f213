"""Writers that are stopped, in the long form: which, how, and at which of their steps."""

from tests.campaign.kills import Place, steps_of, stopped_at, two_at_once
from tests.campaign.surroundings import SURROUNDINGS, surrounded
from tests.campaign.writers import WRITERS

# How many of each kind for a hundred kills, beside these.
OTHERS = {"SIGTERM": 15, "SIGHUP": 10, "SIGINT": 15, "ENOSPC": 25, "EIO": 10, "EROFS": 10}
TWO = "two writers at once"


def jobs(kills):
    """Kinds of stop, writers, and how many of each."""
    for kind, hundredth in {"SIGKILL": 100, **OTHERS}.items():
        total = kills * hundredth // 100
        for writer in WRITERS:
            yield kind, writer.name, max(1, round(total * writer.share / _shares()))
    for writer in WRITERS:
        yield TWO, writer.name, max(1, kills // 40)
        yield "surroundings", writer.name, len(SURROUNDINGS)


def _shares():
    return sum(writer.share for writer in WRITERS)


def outcomes(kind, name, folder, start, count):
    """What came of each, from the `start`-th on."""
    (writer,) = (writer for writer in WRITERS if writer.name == name)
    place = Place(writer, folder.resolve())
    if kind == TWO:
        yield from (two_at_once(place) for _ in range(count))
        return
    steps = steps_of(place)
    if kind == "surroundings":
        names = list(SURROUNDINGS)[start : start + count]
        yield from (surrounded(place, each) for each in names)
        return
    # Every step once, and by then those beside it: a stride that has no factor of most counts.
    for number in range(start, start + count):
        yield stopped_at(place, kind, number * 7919 % steps)
