"""Files as shops, analytics, databases and office programs write them, a few rows each."""

import gzip
import io
import json
import sqlite3
import zipfile

import polars as pl

from tests.data.troubles import XYZ, Trouble, csv


def archive(*members):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        for member in members:
            file.writestr(member, "x")
    return held.getvalue()


def parquet(**columns):
    held = io.BytesIO()
    pl.DataFrame(columns).write_parquet(held)
    return held.getvalue()


def database():
    held = sqlite3.connect(":memory:")
    held.execute("create table events (user text)")
    return held.serialize()


TAPS = [{"user": {"id": 7, "country": "DE"}, "item": {"sku": i, "tags": ["a"]}} for i in "xyz"]
TRACKED = [
    {"event": "Product Viewed", "userId": "u", "properties": {"product_id": i, "name": i.upper()}}
    for i in "xyz"
]
LINES = "".join(json.dumps(one) + "\n" for one in TAPS)

ODD = "it's [a] $key.é"

TABLES = {
    "Shopify's orders": csv(
        {"u@x.org": ["A-1", "A-2", "A-3"]},
        '#3,u@x.org,2026-03-06 09:00:00 +0100,1,"Mug, red",A-3',
        '#1,u@x.org,2026-03-05 23:30:00 -0800,1,"Tea ""Earl Grey""",A-2',
        '#2,u@x.org,2026-03-05 23:00:00 -0800,1,Kettle,A-1',
        header="Name,Email,Created at,Lineitem quantity,Lineitem name,Lineitem sku",
        said="columns: user = Email, item = Lineitem sku, time = Created at",
    ),
    "a German export": Trouble(
        "log.csv",
        "\ufeffKunde;Artikel;Bestelldatum;Preis\n7;z;01.04.2026 09:00;1.299,90\n"
        "7;x;15.03.2026 18:30;3,50\n7;y;31.03.2026 07:05;4,10\n",
        {"7": ["x", "y", "z"]}, "columns: user = Kunde, item = Artikel, time = Bestelldatum",
    ),
    "a German export with numbers": Trouble(
        "log.csv", "Datum;Kunden-Nr.;Artikel-Nr.;Menge\n03.04.2026;7;z;1\n01.04.2026;7;x;1\n"
        "02.04.2026;7;y;1\n", {"7": ["x", "y", "z"]},
        "columns: user = Kunden-Nr., item = Artikel-Nr., time = Datum",
    ),
    "article numbers": csv(
        XYZ, "2026-01-01T09:00:00+01:00,u,1,x", "2026-01-02T09:00:00+01:00,u,1,y",
        "2026-01-03T09:00:00+01:00,u,1,z", header="event_time,customer_no,campaign,article_no",
        said="columns: user = customer_no, item = article_no, time = event_time",
    ),
    "a German date that is not taken": csv(
        {"u": ["z", "x", "y"]}, "u,z,03.04.2026", "u,x,01.04.2026", "u,y,02.04.2026",
        header="user,item,Tag", said="Tag looks like a time and is not used",
    ),
    "pipes": csv(XYZ, "u|z|3", "u|x|1", "u|y|2", header="user_id|item_id|time"),
    "pipes in a text": Trouble("log.txt", "user|item\nu|x\nu|y\nu|z\n", XYZ),
    "psql": Trouble(
        "log.txt", " user_id | item_id \n---------+---------\n u       | x\n u       | y\n u | z\n",
        XYZ, "left out: 1 row without an item",
    ),
    "values with pipes": Trouble(
        "log.csv", "1,x,Action|Comedy|Drama|War\n1,y,Action\n1,z,Drama\n",
        "first row is 1, x, Action.Comedy.Drama.War; say which",
    ),
    "MySQL's empty values": Trouble(
        "log.tsv", "id\tuser_id\titem_id\n1\tu\tx\n2\t\\N\tx\n3\tu\ty\n4\tu\tNULL\n5\tu\tz\n", XYZ,
        "left out: 1 row without a user",
    ),
    "Parquet by another name": Trouble("log.csv", parquet(user=["u"] * 3, item=list("xyz")), XYZ),
}  # fmt: skip  # a table

NESTED = {
    "objects in objects": Trouble(
        "log.jsonl", LINES, {"7": ["x", "y", "z"]}, "columns: user = user.id, item = item.sku",
    ),
    "objects in objects, packed": Trouble(
        "log.json.gz", gzip.compress(LINES.encode()), {"7": ["x", "y", "z"]},
        "columns not used: user.country, item.tags",
    ),
    "an event's properties": Trouble(
        "log.jsonl", "".join(json.dumps(one) + "\n" for one in TRACKED), XYZ,
        "columns: user = userId, item = properties.product_id",
    ),
    "a key that is named": Trouble(
        "log.jsonl", "".join(json.dumps(one) + "\n" for one in TRACKED),
        {"u": ["X", "Y", "Z"]}, options={"item": "properties.name"},
    ),
    "a key that is not there": Trouble(
        "log.jsonl", LINES, "no column 'item.skuu'; did you mean item.sku",
        options={"item": "item.skuu"},
    ),
    "a list in an object": Trouble(
        "log.jsonl", LINES, {"7": ["a", "a", "a"]}, options={"item": "item.tags"},
    ),
    "a row without the object": Trouble(
        "log.jsonl", LINES + '{"user": null, "item": {"sku": "q"}}\n', {"7": ["x", "y", "z"]},
        "left out: 1 row without a user",
    ),
    "a key with a point": Trouble(
        "log.jsonl", "".join(json.dumps({"user.id": "u", ODD: {ODD: i}}) + "\n" for i in "xyz"),
        XYZ, options={"user": "user.id", "item": f"{ODD}.{ODD}"},
    ),
    "keys that no path can name": Trouble(
        "log.jsonl", json.dumps({"user": "u", "item": {'a"b': "x", "a\\b": "x", "sku": "y"}}),
        r"no column 'item.a\"b'; did you mean .*item.sku", options={"item": 'item.a"b'},
    ),
    "structs in Parquet": Trouble(
        "log.parquet", parquet(user=[{"id": 7, "geo": {"city": "B"}}] * 3,
                               item=[{"sku": i} for i in "xyz"]),
        {"7": ["x", "y", "z"]}, "columns not used: user.geo.city",
    ),
    "a list of objects": Trouble(
        "log.json", json.dumps(TAPS, indent=2), {"7": ["x", "y", "z"]},
        "columns: user = user.id, item = item.sku",
    ),
    "a list of objects in a CSV, packed": Trouble(
        "log.csv.gz", gzip.compress(("\ufeff" + json.dumps(TAPS)).encode()),
        {"7": ["x", "y", "z"]},
    ),
    "a web interface's answer": Trouble(
        "log.json", json.dumps({"orders": TAPS, "next": None}),
        r"is one object, with its rows in 'orders'; write these .* jq -c '\.orders\[\]' does",
    ),
    "users who are not known": Trouble(
        "log.jsonl", LINES.replace('"id": 7', '"id": null'),
        r"no user is left .*\(columns: user = user\.id, item = item\.sku\) .left out: 3 rows",
    ),
    "numbers in a list": Trouble(
        "log.json", '[{"user": 1, "item": 12345678901234567}, {"user": 1.0, "item": 7.0},\n'
        '{"user": 1, "item": 8}]', {"1": ["12345678901234567", "7", "8"]},
    ),
    "JSON that is read as CSV": Trouble(
        "log.csv", json.dumps(TAPS), "is JSON; read it as that, by --format jsonl",
        options={"format": "csv"},
    ),
    "a list that is cut short": Trouble("log.json", json.dumps(TAPS)[:-9], "is no JSON .*correct"),
    "a list, and more": Trouble("log.json", json.dumps(TAPS) + "\n[]", "is no JSON .*correct"),
    "a list without a comma": Trouble(
        "log.json", json.dumps(TAPS).replace("}, {", "} {"), "is no JSON .*correct",
    ),
    "a list whose texts look like its ends": Trouble(
        "log.json", '[\r\n{"user":\n "],", "item": "}, {\\n"},{"user": "],", "item":\n"a\u2028]"},'
        '{"item": "\\"", "user": "],"}\n]\n', {"],": ["}, {", "a\u2028]", '"']},
    ),
    "a list of lists": Trouble("log.json", '[["u", "x"]]', "object 1 is no JSON object"),
    "an empty list": Trouble("log.json", "[]", "has no objects with keys"),
    "a time in a list": Trouble(
        "log.json", '[{"user": "u", "item": "x", "time": 1},\n{"user": "u", "item": "y", '
        '"time": "soon"}]', "object 2: 'soon' is not a time",
    ),
}  # fmt: skip  # a table

SHEET = r"is a file of \w+; save the sheet as CSV \(UTF-8\) and pass that"
ROWS = "write the table's rows as CSV or Parquet and pass that"

FOREIGN = {
    "Excel": Trouble("log.xlsx", archive("[Content_Types].xml", "xl/workbook.xml"), SHEET),
    "Excel as CSV": Trouble("log.csv", archive("[Content_Types].xml", "xl/workbook.bin"), SHEET),
    "old Excel": Trouble("log.xls", bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 99, SHEET),
    "LibreOffice": Trouble("log.ods", archive("mimetype", "content.xml"), SHEET),
    "a zipped CSV": Trouble("log.zip", archive("log.csv"), "is a zip archive; unpack it"),
    "UTF-16": Trouble("log.csv", "user,item\nu,x\n".encode("utf-16"), "is UTF-16 text; save it as"),
    "SQLite": Trouble("log.db", database(), f"is an SQLite database; {ROWS}"),
    "a dump of MySQL": Trouble(
        "log.sql", "-- MySQL dump 10.13\n--\n\nDROP TABLE IF EXISTS `e`;\nCREATE TABLE `e` (\n"
        "  `user` int);\nINSERT INTO `e` VALUES (1),(NULL);\n", f"is a dump of SQL; {ROWS}",
    ),
    "a dump of PostgreSQL": Trouble(
        "log.csv", "--\n-- PostgreSQL database dump\n--\n\nSET x = 0;\n\nCOPY public.e (u, i) FROM "
        "stdin;\n1\t2\n\\.\n", f"is a dump of SQL; {ROWS}",
    ),
    "a page in place of the file": Trouble(
        "log.csv", "\n<!DOCTYPE html>\n<html><body>Sign in</body></html>\n", "is HTML or XML",
    ),
    "xz": Trouble("log.csv.xz", b"\xfd7zXZ\0" + b"\0" * 20, "packed by xz; unpack it, or pack it"),
    "Arrow": Trouble("log.feather", b"ARROW1\0\0" + b"\0" * 20, "write it as Parquet"),
}  # fmt: skip  # a table

EXPORTS = {**TABLES, **NESTED, **FOREIGN}
