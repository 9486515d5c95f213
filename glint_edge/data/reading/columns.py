"""Which column of a log is the user, the item, the time and so on; imports no polars."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import ClassVar

from glint_edge.errors import DataError
from glint_edge.suggestions import one_of
from glint_edge.tables import counted

# Column names as people write them, likeliest first, without case, spaces, `_`, `-` and `.`: those
# of public logs (MovieLens, Amazon, REES46, H&M, RetailRocket, Last.fm, Steam, Criteo, gorse,
# Diginetica, Yelp, Netflix …) and of shops' own (Shopify, WooCommerce; in German, too).
_USUAL = {
    # GA4's `user_id` is of who is signed in: of most rows it is empty.
    "user": ("userpseudoid", "userid", "user", "uid", "visitorid", "visitor", "customerid",
             "customer", "reviewerid", "custid", "customerno", "customernumber", "clientid",
             "buyerid", "memberid", "accountid", "profileid", "authorsteamid", "steamid",
             "domainuserid", "anonymousid", "kundennummer", "kundennr", "kundenid", "kunde",
             "benutzerid", "benutzer", "nutzerid", "besucherid", "username", "email", "useremail",
             "customeremail", "billingemail"),
    "item": ("itemid", "item", "iid", "movieid", "movie", "productid", "product", "articleid",
             "article", "trackid", "track", "parentasin", "asin", "sku", "skuid", "productsku",
             "itemsku", "lineitemsku", "variantsku", "stockcode", "productcode", "articleno",
             "articlenumber", "productno", "productnumber", "itemno", "itemnumber",
             "artikelnummer", "artikelnr", "artikelid", "produktnummer", "produktnr", "produktid",
             "artikel", "produkt", "gameid", "appid",
             "bookid", "isbn", "songid", "videoid", "newsid", "contentid", "businessid", "venueid",
             "poiid", "locationid", "hotelid", "animeid", "recipeid", "courseid", "listingid",
             "artistid", "artist", "gametitle", "game", "trackname", "campaign"),
    "time": ("timestamp", "time", "ts", "datetime", "date", "unixreviewtime", "eventtime",
             "eventtimestamp", "eventdatetime", "eventdate", "unixtime", "unixtimestamp", "epoch",
             "createdat", "timestampcreated", "viewedat", "clickedat", "purchasedat", "orderedat",
             "occurredat", "clicktimestamp", "clicktime", "purchasedate", "orderdate",
             "invoicedate", "transactiondate", "reviewdate", "reviewtime", "servertime",
             "collectortstamp", "tdat", "zeitstempel", "zeitpunkt", "datum", "zeit",
             "bestelldatum", "bestellzeitpunkt", "kaufdatum"),
    "session": ("sessionid", "session", "usersession", "usersessionid", "sessionkey", "visitid",
                "gasessionid", "sessionidhash", "sitzungsid", "sitzung"),
    "event": ("eventtype", "event", "eventname", "feedbacktype", "feedback", "action",
              "actiontype", "behavior", "behaviour", "behaviortype", "behaviourtype",
              "behaviorname", "interaction", "interactiontype", "ereignistyp", "ereignis"),
    "rating": ("rating", "ratings", "score", "stars", "overall", "bookrating", "value", "weight",
               "bewertung"),
}  # fmt: skip  # a table

ROLES = tuple(_USUAL)

# Of a table with a row an item: what is surely a key comes first.
_IDS = (
    "id", "sku", "code", "asin", "isbn", "item", "product", "article", "no", "number", "nummer",
    "nr",
)  # fmt: skip  # a table
ITEM_KEYS = (
    *(name for name in _USUAL["item"] if name.endswith(_IDS)), "id", "key", "code", "ean", "gtin",
    *_USUAL["item"],
)  # fmt: skip
ITEM_TITLES = (
    "title", "name", "itemtitle", "itemname", "producttitle", "productname", "prodname",
    "movietitle", "booktitle", "bookname", "trackname", "tracktitle", "songname", "gametitle",
    "appname", "displayname", "label", "titel", "bezeichnung", "artikelbezeichnung",
    "artikelname", "produktname", "produktbezeichnung", "articlename",
)  # fmt: skip  # a table
_ALWAYS = ("user", "item", "time")  # are taken where they are there; the others, where of use
_PLAIN = str.maketrans("", "", " _-.")

# What a moment looks like: by a word of its column's name, as a date, or as a number since 1970.
_TIME_WORD = re.compile(r"time|date|stamp|epoch|(?<![a-z])(at|on|ts|when|day|t)(?![a-z])")
_DATE = re.compile(r"\s*(\d{4}[-/]\d{1,2}[-/]\d{1,2}|\d{1,2}\.\d{1,2}\.\d{4})([ T].*)?", re.DOTALL)

# The years 1989 to 2099 since 1970, and the units in which logs count.
EPOCH_SECONDS = (6e8, 4.1e9)
EPOCH_UNITS = {"seconds": 1e0, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}

SHOWN_KINDS = 5

FRAME = "the DataFrame"  # what messages call it

# Formats that have no header, and so no names to choose from.
HEADERLESS = ("u.data", "ratings.dat", "lines")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Names of the columns of a log with a header; None: the usual names are tried.

    Attributes:
        user: column of the user's key.
        item: column of the item's key.
        time: column of the time; a log without one is taken to be in time order.
        session: column of the session, which stands in for a user who is not known.
        event: column of the kind of event, such as view or buy.
        rating: column of the rating.
    """

    user: str | None = None
    item: str | None = None
    time: str | None = None
    session: str | None = None
    event: str | None = None
    rating: str | None = None

    def over(self, below: Columns) -> Columns:
        """What is said here, and the rest as there."""
        names = [each.name for each in fields(self)]
        return Columns(**{name: getattr(self, name) or getattr(below, name) for name in names})

    def to_dict(self) -> dict[str, str | None]:
        """As JSON values; of the roles that few logs have, those alone that are chosen."""
        values = {role: getattr(self, role) for role in ROLES}
        return {role: name for role, name in values.items() if name or role in _ALWAYS}


USUAL_NAMES = Columns()


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a reader takes from a log.

    Attributes:
        columns: the user's choice.
        needed: roles, beside user and item, that the log must have.
        header: whether the first row names the columns; None: told from the row.
    """

    columns: Columns = USUAL_NAMES
    needed: frozenset[str] = frozenset()
    header: bool | None = None
    has_baskets: ClassVar[bool] = True  # a row may hold several items, each of which is then a row

    def choose(self, log: str, names: Sequence[str], listed: Iterable[str] = ()) -> dict[str, str]:
        """A column by role; arguments and errors as of `choose_columns`."""
        return choose_columns(log, names, self, list(listed))

    def may_be_list(self, role: str) -> bool:
        """Whether a role's column may hold several values a row that stays one."""
        return False


USUAL = Selection()


def choose_columns(
    log: str, names: Sequence[str], selection: Selection, listed: Sequence[str] = ()
) -> dict[str, str]:
    """Which column is the user, which the item, and which has each of the other roles.

    Args:
        log: its name, for errors.
        names: the log's columns.
        selection: the user's choice, and what is needed.
        listed: what may be the item in columns of lists: `items.item_id`, or a list of keys itself.

    Returns:
        A column by role: "user", "item" and perhaps others.

    Raises:
        DataError: one is missing, or there twice.
    """
    chosen: dict[str, str] = {}
    for role in ROLES:
        column = choice = getattr(selection.columns, role)
        needed = role in ("user", "item") or role in selection.needed
        if choice is None and (needed or role == "time"):
            column = _by_name(role, names, listed)
            if role == "user" and column is None:
                session = selection.columns.session
                column = session if session in names else usual("session", names)
        known = [*dict.fromkeys((*names, *listed))] if role == "item" else names
        if column is not None and column in known:
            chosen[role] = column
        elif choice is not None or needed:
            missing = f"no column {choice!r}" if choice else f"no {role} column found"
            hint = one_of(choice or role, known, f"choose {flag_of(log, role)} from")
            raise DataError(f"{log}: {missing}; {hint}")
    if chosen.get("session") == chosen["user"]:
        del chosen["session"]
    for column in chosen.values():
        if names.count(column) > 1:
            raise DataError(f"{log} has two columns {column!r}; rename one")
    return chosen


def flag_of(log: str, role: str) -> str:
    """What chooses a role's column."""
    return f"{role}=" if log == FRAME else f"--{role}-column"


def first_of(usual: Iterable[str], names: Iterable[str]) -> str | None:
    """The first of the columns with the likeliest of some names."""
    plain = {_plain(name): name for name in reversed(list(names))}
    return next((plain[name] for name in usual if name in plain), None)


def usual(role: str, names: Iterable[str]) -> str | None:
    """The column with the likeliest name of a role's."""
    return first_of(_USUAL[role], names)


def _by_name(role: str, names: Sequence[str], listed: Sequence[str]) -> str | None:
    column = usual(role, names)
    if column is None and role in ("user", "item"):
        column = _usual_inside(role, names)
    if column is None and role == "item":
        column = _usual_listed(listed)
    return column


def _usual_inside(role: str, names: Iterable[str]) -> str | None:
    """The likeliest of the columns that lie in an object, by their last key: `properties.sku`."""
    inner = {name.rpartition(".")[2]: name for name in reversed(list(names)) if "." in name}
    last = usual(role, inner)
    return inner[last] if last else None


def _usual_listed(listed: Sequence[str]) -> str | None:
    """The likeliest of what lies in lists: `items.item_id`, `products.id` or, of keys, `skus`."""
    words = {}
    for name in reversed(listed):
        before, _, last = name.rpartition(".")
        words[before.rpartition(".")[2].removesuffix("s") + last] = name
        words[last if before else last.removesuffix("s")] = name
    word = usual("item", words)
    return words[word] if word else None


def others(names: Sequence[str], chosen: Mapping[str, str]) -> tuple[str, ...]:
    """The columns that are not used."""
    return tuple(dict.fromkeys(name for name in names if name not in chosen.values()))


def columns_notes(columns: Mapping[str, str]) -> tuple[str, ...]:
    """What was taken for what, by role: a sentence, or none where there are no names."""
    taken = ", ".join(f"{role} = {column}" for role, column in columns.items())
    return (f"columns: {taken}",) if taken else ()


def dropped_notes(dropped: Mapping[str, int]) -> tuple[str, ...]:
    """What was left out, a sentence each."""
    return tuple(f"left out: {counted(n, reason)}" for reason, n in dropped.items() if n)


def shown(kinds: Iterable[str], most: int = SHOWN_KINDS) -> str:
    """A few kinds of events, for messages."""
    names = [kind[:30] or "none" for kind in kinds]
    return ", ".join([*names[:most], *(["…"] if len(names) > most else [])])


def looks_like_time(name: str, values: Iterable[object]) -> bool:
    """Whether a column may say when something happened, by its name and some of its values."""
    present = [value for value in values if value not in (None, "")]
    numbers = [number for value in present if (number := _number(value)) is not None]
    if not present or len(numbers) < len(present):
        return bool(present) and all(
            isinstance(value, date) or _DATE.fullmatch(str(value)) for value in present
        )
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return bool(_TIME_WORD.search(words)) or all(_unit(number) for number in numbers)


def looks_like_header(words: Collection[str], selection: Selection = USUAL) -> bool:
    """Whether a first row names columns: it has the names, or nothing that is only a value."""
    if selection.header is not None:
        return selection.header
    chosen = [getattr(selection.columns, role) for role in ROLES]
    numbers = [name for name in chosen if name]
    if numbers and all(n.isdigit() for n in numbers):
        return set(numbers) <= set(words)
    if names_columns(words) or any(name in words for name in numbers):
        return True
    return not any(_number(word) is not None or _DATE.fullmatch(word) for word in words)


def _number(value: object) -> float | None:
    try:
        return float(value) if isinstance(value, str | int | float) else None
    except ValueError:
        return None


def _unit(number: float) -> str | None:
    """In which unit a number counts from 1970, if it lies in our times."""
    least, most = EPOCH_SECONDS
    return next((n for n, unit in EPOCH_UNITS.items() if least <= number / unit <= most), None)


def names_columns(words: Iterable[str]) -> bool:
    """Whether words look like the names of a user's and an item's column."""
    words = list(words)
    has_user = usual("user", words) or usual("session", words)
    return bool(has_user and usual("item", words))


def _plain(name: str) -> str:
    return name.strip().lower().translate(_PLAIN)
