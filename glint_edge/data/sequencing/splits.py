"""What `--split` says; imports neither polars nor numpy.

    leave-one-out               each user's last item is for the test, the one before for validation
    time:2024-06-01             tested from then on; the last tenth of what lies before: validation
    time:2024-05-01,2024-06-01  validated from the first moment on, tested from the second on
    0.8,0.1,0.1                 the same cuts, after 80 % and 90 % of the interactions in time order

A cut is global: training sees what lies before the first one, whoever did it. What happens at the
moment of a cut lies after it. A user's first item after a cut is predicted from all before the cut.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction

from glint_edge.errors import ConfigError
from glint_edge.suggestions import did_you_mean, near
from glint_edge.tables import counted

LEAVE_ONE_OUT = "leave-one-out"
PARTS = ("validation", "test")
AHEAD = (
    "split leave-one-out: training looks into the future of other users; a split by time does not "
    "(--split 0.8,0.1,0.1 or time:DATE)"
)
VALIDATED = Fraction(1, 10)  # of the interactions before a cut that stands alone
_TIME = "time:"
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Moment:
    """A cut as it was written.

    Attributes:
        text: the same.
        number: what it is in the log's own count, if it was written as a number.
        seconds: since 1970, if it was written as a date.
    """

    text: str
    number: Fraction | None = None
    seconds: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Times:
    """Cuts at moments: where validation begins, None with a cut alone, and where the test does."""

    validation: Moment | None
    test: Moment


@dataclass(frozen=True, slots=True)
class Shares:
    """Cuts after shares of the interactions: where validation begins, and where the test does."""

    validation: Fraction
    test: Fraction


def parse_split(text: str | None) -> Times | Shares | None:
    """What a split says; None: leave-one-out.

    Raises:
        ConfigError: it says nothing that can be done.
    """
    if text is None or text.strip() == LEAVE_ONE_OUT:
        return None
    text = text.strip()
    if text.startswith(_TIME):
        moments = [_moment(part.strip()) for part in text.removeprefix(_TIME).split(",")]
        if len(moments) > 2:
            raise ConfigError(f"split {text!r} has {len(moments)} cuts; write time:TEST or "
                              "time:VALIDATION,TEST")  # fmt: skip
        return Times(moments[0] if len(moments) == 2 else None, moments[-1])
    return _shares(text)


def _shares(text: str) -> Shares:
    parts = [part.strip() for part in text.split(",")]
    if not all(_NUMBER.fullmatch(part) for part in parts):
        raise ConfigError(
            f"split {text!r} is unknown; "
            + did_you_mean(
                near(text, (LEAVE_ONE_OUT,)),
                f"write {LEAVE_ONE_OUT}, time:2024-06-01 or 0.8,0.1,0.1",
            )
        )
    shares = [Fraction(part) for part in parts]
    if len(shares) != 3:
        raise ConfigError(f"split {text!r} has {counted(len(shares), 'shares')}; write three, for "
                          "training, validation and test, as 0.8,0.1,0.1")  # fmt: skip
    if min(shares) <= 0:
        raise ConfigError(f"split {text!r}: every share must be above 0; write as 0.8,0.1,0.1")
    if sum(shares) != 1:
        raise ConfigError(f"split {text!r}: the shares add up to {float(sum(shares)):g}; write "
                          "three that add up to 1")  # fmt: skip
    return Shares(shares[0], shares[0] + shares[1])


def _moment(text: str) -> Moment:
    if _NUMBER.fullmatch(text):
        return Moment(text, number=Fraction(text))
    try:
        moment = datetime.fromisoformat(text.replace("/", "-"))
    except ValueError as error:
        raise ConfigError(
            f"split: {text!r} is no time; write time:YYYY-MM-DD, time:YYYY-MM-DDThh:mm:ss+01:00, "
            "or a number as the log has them"
        ) from error
    # As in a log, what has no zone is in UTC.
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    seconds = Fraction(since.days * 86_400 + since.seconds) + Fraction(since.microseconds, 10**6)
    return Moment(text, seconds=seconds)
