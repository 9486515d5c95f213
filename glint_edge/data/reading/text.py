"""Text files as lazy frames, and what is wrong with one, by its line."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from codecs import getincrementaldecoder
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast
from zipfile import BadZipFile, ZipFile

import polars as pl

from glint_edge.data.reading.foreign import ARCHIVES, BEGINNINGS, MARKUP, SQL
from glint_edge.errors import DataError

HEAD = 1 << 16  # bytes that show what a file is
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_RUNS = re.compile(rb"[\x80-\xff]+")
_JSON = ('{"', "{'", "[{", "[[", "{}")


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file to read, unpacked if it is gzip's.

    Raises:
        DataError: it is damaged, an archive, or another program's own file.
    """
    with path.open("rb") as file:
        start = file.read(max(map(len, BEGINNINGS)))
        file.seek(0)
        if start.startswith(_ZIP):
            raise DataError(f"{path} is {_archive(path)}")
        for beginning, what in BEGINNINGS.items():
            if start.startswith(beginning):
                raise DataError(f"{path} is {what}")
        if not start.startswith(_GZIP):
            yield file
            return
        try:
            with gzip.open(file) as unpacked:
                yield cast(BinaryIO, unpacked)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(f"{path} is a damaged gzip file ({error}); fetch it again") from error


def _archive(path: Path) -> str:
    """What a zip archive is, and what to do with it."""
    names: list[str] = []
    with suppress(BadZipFile, OSError, ValueError), ZipFile(path) as archive:
        names = archive.namelist()
    return next(
        (what for member, what in ARCHIVES.items() if member in names),
        "a zip archive; unpack it and pass the log in it",
    )


def head_of(path: Path) -> str:
    """The beginning of a file as text, without a byte order mark and what is blank.

    Raises:
        DataError: it is damaged, or an archive.
    """
    with opened(path) as file:
        head = file.read(HEAD)
        while head and not head.strip():
            head = file.read(HEAD)
    return head.decode("utf-8", errors="replace").lstrip("\ufeff").lstrip()


def is_json(head: str) -> bool:
    """Whether a text begins as JSON does."""
    return "".join(head[:200].split())[:2].startswith(_JSON)


def source_of(path: Path) -> Path | bytes:
    """What polars is to read: the file, or its bytes if its lines end as old Macs end them.

    Raises:
        DataError: it is empty, JSON, a page, or a database's dump, or begins as no UTF-8 does.
    """
    require_utf8(path)
    head = head_of(path)
    if not head:
        raise DataError(f"{path} is empty; pass a log with at least one user's items")
    if is_json(head):
        raise DataError(f"{path} is JSON; read it as that, by --format jsonl")
    for pattern, what in (MARKUP, SQL):
        if pattern.match(head):
            raise DataError(f"{path} is {what}")
    if "\r" in head and "\n" not in head:
        with opened(path) as file:
            return file.read().replace(b"\r", b"\n")
    return path


def scan_text(path: Path) -> pl.LazyFrame:
    """The lines that are not blank: `row`, their number from 0, and `text`.

    Raises:
        DataError: it is empty, or JSON.
    """
    lines = pl.scan_lines(source_of(path), name="text", row_index_name="row", glob=False)
    # The first one may begin with a byte order mark.
    text = pl.col("text")
    plain = pl.when(pl.col("row") == 0).then(text.str.strip_prefix("\ufeff")).otherwise(text)
    return lines.with_columns(text=plain).filter(text.str.strip_chars() != "")


def at_line(row: int) -> str:
    """Where a row of `scan_text` stands."""
    return f"line {row + 1}"


def explain_text(path: Path, error: pl.exceptions.PolarsError) -> DataError:
    """Why lines cannot be read."""
    try:
        wrong = not_utf8(path)
    except DataError as damaged:
        return damaged
    return wrong or DataError(f"{path} cannot be read ({first_line(error)}); write it again")


def explain_records(path: Path, separator: str, error: pl.exceptions.PolarsError) -> DataError:
    """Why a CSV or TSV cannot be read: not UTF-8, a long record, or a quote that is not closed."""
    try:
        if wrong_bytes := not_utf8(path):
            return wrong_bytes
        rows = records(path, separator)
        _, header = next(rows)
        for line, fields in rows:
            if len(fields) > len(header):
                return DataError(
                    f"{path}, line {line}: {len(fields)} fields under a header of {len(header)}; "
                    "quote fields that hold a separator"
                )
    except DataError as wrong:
        return wrong
    return DataError(f"{path} is not well-formed ({first_line(error)}); check its quotes")


def records(path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Records from the header on, each with the line it starts on; for the header and messages.

    A quoted field may span lines, so a record's number is not its line.

    Raises:
        DataError: a quote is not closed.
    """
    with opened(path) as file:
        text = TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
        reader = csv.reader(text, delimiter=separator, strict=True)
        started, line = False, 1
        try:
            for fields in reader:
                started = started or bool(fields)
                if started:
                    yield line, fields
                line = reader.line_num + 1
        except csv.Error as error:
            problem = f"{path}, line {line}: {error}; check the quotes from here on"
            raise DataError(problem) from error


def at_record(path: Path, separator: str, header: bool, row: int) -> str:
    """Where the record that polars numbers `row`, below a header perhaps, starts."""
    try:
        line, _ = next(islice(records(path, separator), row + header, None))
    except (StopIteration, DataError):  # polars is more lenient with quotes
        return f"row {row + 1}"
    return f"line {line}"


def require_utf8(path: Path) -> None:
    """Refuse what begins as no UTF-8 does, a header say; the rest is seen when it is read.

    Raises:
        DataError: it does; its first wrong line is named.
    """
    with opened(path) as file:
        head = file.read(HEAD)
    try:
        getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        if wrong := not_utf8(path):
            raise wrong from None


def not_utf8(path: Path) -> DataError | None:
    """What is wrong with the first line that is not UTF-8, and what to do."""
    with opened(path) as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                what_to_do = "unpack the file or save it as UTF-8"
                if western(line + file.read(HEAD), few=2) is not None:  # as in größe
                    command = "iconv -f WINDOWS-1252 -t UTF-8"
                    packed = path.suffix.lower() == ".gz"
                    command = f"gzip -dc FILE | {command}" if packed else f"{command} FILE"
                    what_to_do = f"if it is Windows-1252: {command} > NEW"
                return DataError(
                    f"{path}, line {number}: byte {line[error.start]:#04x} is not UTF-8 text; "
                    f"{what_to_do}"
                )
    return None


def western(data: bytes, few: int = 1) -> str | None:
    """Bytes as text in Windows' Western letters; None: they are hardly that.

    Letters with accents are few and far between in it, as in no other alphabet.

    Args:
        data: the bytes.
        few: so many such letters may stand together.
    """
    letters = sum(byte >= 0x80 for byte in data)
    together = sum(len(run) for run in _RUNS.findall(data) if len(run) > few)
    if b"\0" in data or 2 * together > letters:
        return None
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return None


def first_line(error: Exception) -> str:
    """What an error says, shortened."""
    return str(error).partition("\n")[0][:200]
