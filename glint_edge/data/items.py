"""What a table of the shop's own says of its items: titles, fields and pictures; imports no polars.

The library fetches no picture: it carries the addresses to the pages that show them.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glint_edge.data.catalogue import Catalogue
from glint_edge.data.grouping import grouping, shown_only
from glint_edge.errors import ConfigError, DataError
from glint_edge.suggestions import no_file
from glint_edge.tables import counted

if TYPE_CHECKING:
    from glint_edge.data.features import Features, Values

log = logging.getLogger(__name__)

MOST_FIELDS = 100  # that items.schema.json allows
MOST_SHOWN = 50  # characters of a key, in a note
BETWEEN = ", "  # values of a field, where several are shown


@dataclass(frozen=True, slots=True)
class ItemFile:
    """A table with a row an item, and which of its columns are shown.

    Attributes:
        source: path of a CSV, TSV, JSON or Parquet file; or a polars or pandas DataFrame.
        key: column of the item's key; None: found by the usual names.
        title: column of the title; None: found by the usual names, where there is one.
        fields: columns that are shown beside the title, such as a category, and those of them that
            group items are features of training.
        image: column of the address of a picture; of a list of them, the first is shown.
        separator: what stands between several values of a field; None: each is one value, but in a
            column of lists.
    """

    source: Any
    key: str | None = None
    title: str | None = None
    fields: tuple[str, ...] = ()
    image: str | None = None
    separator: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.fields, str):
            raise ConfigError(f"fields is one text; write fields=[{self.fields!r}]")
        object.__setattr__(self, "fields", tuple(dict.fromkeys(self.fields)))
        if len(self.fields) > MOST_FIELDS:
            raise ConfigError(f"{len(self.fields)} fields are named; choose {MOST_FIELDS} at most")
        texts = (self.key, self.title, self.image, *self.fields)
        if not all(text is None or (isinstance(text, str) and text) for text in texts):
            raise ConfigError("a column of the items has no name; pass its name as a text")
        if self.separator is not None and not isinstance(self.separator, str):
            raise ConfigError("the separator of items must be a text, such as '|'")
        if self.separator is not None and not self.separator:
            raise ConfigError("the separator of items is empty; pass one such as '|'")
        if isinstance(self.source, str | Path):
            _require_file(Path(self.source))

    @property
    def path(self) -> Path | None:
        """Of the file; None: it is in memory."""
        return Path(self.source) if isinstance(self.source, str | Path) else None

    def settings(self) -> dict[str, Any]:
        """By flag, for a `run.toml`; nothing of a table in memory."""
        if self.path is None:
            return {}
        named = {
            "items": str(self.path.resolve()), "item_key": self.key, "item_title": self.title,
            "item_field": list(self.fields), "item_image": self.image,
            "item_separator": self.separator,
        }  # fmt: skip
        return {name: value for name, value in named.items() if value}

    @classmethod
    def of_settings(cls, settings: Mapping[str, Any]) -> ItemFile | None:
        """Inverse of `settings`; None: they name no file.

        Raises:
            ConfigError: they name columns alone.
            DataError: there is no such file.
        """
        chosen = {name: value for name, value in settings.items() if value}
        names = ("key", "title", "field", "image", "separator")
        if "items" not in chosen:
            if lone := next((name for name in names if f"item_{name}" in chosen), None):
                raise ConfigError(f"--item-{lone} is about --items; pass that file, too")
            return None
        key, title, fields, image, separator = (chosen.get(f"item_{name}") for name in names)
        return cls(chosen["items"], key, title, tuple(fields or ()), image, separator)


def _require_file(path: Path) -> None:
    if not path.exists():
        raise DataError(no_file(path, "pass a table with a row an item by --items"))
    if not path.is_file():
        raise DataError(f"{path} is a folder or a pipe; pass a file by --items")


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRows:
    """What was read of a table, of the items that were asked for.

    Attributes:
        name: of the table, for messages.
        columns: the column that was taken, by what it is: "key", "title", "image".
        unused: the columns that were not taken.
        keys: items with a row, in the table's order.
        titles: by key, where there is one.
        fields: of each field, the value by key; several values as they are shown.
        values: of each field, the values by key.
        images: addresses of pictures by key.
        keyless: rows without a key.
        others: rows of items that were not asked for.
        pictured: items with several pictures.
        entities: where HTML entities were read, a sentence; None: nowhere.
    """

    name: str
    columns: Mapping[str, str]
    unused: tuple[str, ...]
    keys: Set[str]
    titles: Mapping[str, str]
    fields: Mapping[str, Mapping[str, str]]
    values: Values
    images: Mapping[str, str]
    keyless: int = 0
    others: int = 0
    pictured: int = 0
    entities: str | None = None

    def notes(self, wanted: Sequence[str], titled: Collection[str] = ()) -> list[str]:
        """What was taken for what, and what was left out, a sentence each.

        Args:
            wanted: keys of the items that were asked for.
            titled: of those that have a title already.
        """
        shown = ", ".join(f"{what} = {column}" for what, column in self.columns.items())
        fields = f", fields = {', '.join(self.fields)}" if self.fields else ""
        notes = [f"columns: {shown}{fields}"]
        if self.unused:
            notes.append(f"columns not used: {', '.join(self.unused)}")
        if self.entities:
            notes.append(self.entities)
        if self.keyless:
            notes.append(f"left out: {counted(self.keyless, 'rows without a key')}")
        if self.others:
            others = counted(self.others, "rows of items that the model does not have")
            notes.append(f"left out: {others}")
        if self.pictured:
            notes.append(f"of several pictures the first: {counted(self.pictured, 'items')}")
        if missing := [key for key in wanted if key not in self.keys]:
            notes.append(_without_row(missing, len(wanted), titled))
        return notes


def _without_row(keys: Sequence[str], wanted: int, titled: Collection[str]) -> str:
    """What becomes of items that the table does not have, and which they are."""
    before = sum(key in titled for key in keys)
    if len(keys) == 1:
        how = "it is shown as before" if before else "it is shown by its key"
        return f"{keys[0][:MOST_SHOWN]} has no row: {how}"
    some = [key[:MOST_SHOWN] for key in keys[:3]] + ["…"] * (len(keys) > 3)
    how = "these are shown by their keys"
    if before:
        how = "these are shown as before"
        if before < len(keys):
            how += f", {len(keys) - before:,} of them by their keys"
    return f"{len(keys):,} of {wanted:,} items have no row ({', '.join(some)}): {how}"


@dataclass(frozen=True, slots=True)
class Description:
    """What a table says of a catalogue.

    Attributes:
        catalogue: as it is shown now.
        notes: what was taken and what was left out, a sentence each.
        values: of each field that was named, the values by key.
    """

    catalogue: Catalogue
    notes: tuple[str, ...] = ()
    values: Values = field(default_factory=dict)

    def features(self, items: ItemFile | None) -> Features | None:
        """The fields that `items` names, as features of training; None: there are none."""
        if items is None or not items.fields:
            return None
        from glint_edge.data.features import features_of  # with numpy

        features = features_of(self.catalogue.keys, grouping(self.values), items.separator)
        if features is None:
            log.warning("no field groups items, so training has no item features")
        else:
            log.info(
                "features of training: %s, %s of %s items have some",
                counted(len(features.pairs), "values"), f"{features.known:,}",
                f"{len(self.catalogue.keys) - 1:,}",
            )  # fmt: skip
        return features


def item_file(items: object) -> ItemFile | None:
    """What functions take as `items`: an `ItemFile`, or the source of one; None is none.

    Raises:
        ConfigError: it is neither.
        DataError: there is no such file.
    """
    return items if items is None or isinstance(items, ItemFile) else ItemFile(items)


def require_table(items: ItemFile | None) -> None:
    """Refuse a table that cannot be read, before a log is; None is none.

    Raises:
        DataError: it lacks a column, is of another encoding, or is not well-formed.
    """
    if items is not None:
        from glint_edge.data.reading.items import try_items  # which imports polars

        try_items(items)


def described(
    catalogue: Catalogue, items: ItemFile | None, only: Collection[str] | None = None
) -> Catalogue:
    """The catalogue that `describing` gives; arguments and errors as there."""
    return describing(catalogue, items, only).catalogue


def describing(
    catalogue: Catalogue, items: ItemFile | None, only: Collection[str] | None = None
) -> Description:
    """A catalogue whose items are shown as a table says; those without a row, as before.

    Args:
        catalogue: stays as it is.
        items: the table; without `fields`, those that the catalogue has are looked for in it.
        only: keys of the items to describe; None: all, and no field stays that is not in `fields`,
            where these are named.

    Raises:
        DataError: the table cannot be read, is of other items, or says two things of one item.
    """
    if items is None:
        return Description(catalogue)
    from glint_edge.data.reading.items import read_items  # which imports polars

    keys = tuple(catalogue.keys[1:] if only is None else only)
    rows = read_items(items, frozenset(keys), usual_fields=tuple(catalogue.fields))
    if not rows.keys and only is None:
        raise DataError(
            f"{rows.name} has no row of an item of the model, whose keys are like "
            f"{catalogue.keys[1]!r}; choose the column of the key by --item-key"
        )

    def over(before: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
        return {key: text for key, text in before.items() if key not in rows.keys} | dict(new)

    keep = () if items.fields and only is None else catalogue.fields
    names = dict.fromkeys((*keep, *rows.fields))
    fields = {
        name: over(old, rows.fields[name]) if name in rows.fields else old
        for name in names
        for old in [catalogue.fields.get(name, {})]
    }
    shown = replace(
        catalogue,
        titles=over(catalogue.titles, rows.titles) if "title" in rows.columns else catalogue.titles,
        fields={name: values for name, values in fields.items() if values},
        images=over(catalogue.images, rows.images) if "image" in rows.columns else catalogue.images,
    )
    alone = shown_only(rows.values, shown.fields) if only is None else []
    notes = tuple(f"{rows.name}: {note}" for note in [*rows.notes(keys, catalogue.titles), *alone])
    for note in notes:
        log.info("%s", note)
    return Description(shown, notes, rows.values)
