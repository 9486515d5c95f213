"""Another program's files, which are passed for a log: how they begin, and what to do."""

from __future__ import annotations

import re

_AS_CSV = "save the sheet as CSV (UTF-8) and pass that"
_UNPACK = "unpack it, or pack it by gzip, which is read as it is"
_EXPORT = "write the table's rows as CSV or Parquet and pass that"

# By the first bytes of a file. Zip archives are told by what is in them.
BEGINNINGS = {
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": f"a file of Excel; {_AS_CSV}",
    b"\xff\xfe": "UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8",
    b"SQLite format 3\0": f"an SQLite database; {_EXPORT}",
    b"PGDMP": f"a dump of PostgreSQL; {_EXPORT}",
    b"ARROW1\0\0": "an Arrow (Feather) file; write it as Parquet",
    b"Obj\x01": "an Avro file; write it as Parquet",
    b"BZh91AY&SY": f"packed by bzip2; {_UNPACK}",
    b"\xfd7zXZ\0": f"packed by xz; {_UNPACK}",
    b"\x28\xb5\x2f\xfd": f"packed by Zstandard; {_UNPACK}",
    b"7z\xbc\xaf\x27\x1c": f"packed by 7-Zip; {_UNPACK}",
    b"%PDF-": "a PDF; pass the log as CSV, JSON lines or Parquet",
    b"\x80\x04\x95": "a pickle of Python; write the DataFrame as Parquet",
    b"\x80\x05\x95": "a pickle of Python; write the DataFrame as Parquet",
}  # fmt: skip  # a table

# By a member of a zip archive.
ARCHIVES = {
    "xl/workbook.xml": f"a file of Excel; {_AS_CSV}",
    "xl/workbook.bin": f"a file of Excel; {_AS_CSV}",
    "content.xml": f"a file of LibreOffice; {_AS_CSV}",
    "Index/Document.iwa": f"a file of Numbers; {_AS_CSV}",
}

# By the first letters of a text.
MARKUP = (
    re.compile(r"<(!doctype|\?xml|html|head|body)\b", re.IGNORECASE),
    "HTML or XML, perhaps a page in place of the file; pass CSV, JSON lines or Parquet",
)
SQL = (
    re.compile(
        r"(--|/\*|(set|drop|create|insert|begin|pragma|use|start)\b)"
        r"[\s\S]*?^\s*(create table|insert into|copy \S+ \()",
        re.IGNORECASE | re.MULTILINE,
    ),
    f"a dump of SQL; {_EXPORT}",
)  # fmt: skip
