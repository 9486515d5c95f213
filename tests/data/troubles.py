"""Small logs with one trouble each, and what becomes of them."""

import gzip
from dataclasses import dataclass, field

from tests.data.logs import csv_of

START = 1_577_836_800_000_000_000  # 2020 in nanoseconds
XYZ = {"u": ["x", "y", "z"]}


@dataclass(frozen=True)
class Trouble:
    """A file; what is read of it, or a pattern of the sentence that refuses it; what is said."""

    file: str
    content: str | bytes
    result: dict[str, list[str]] | str
    said: str = ""
    options: dict[str, object] = field(default_factory=dict)

    @property
    def bytes(self):
        return self.content if isinstance(self.content, bytes) else self.content.encode()


def csv(result, *rows, header="user,item,time", said="", **options):
    return Trouble("log.csv", csv_of(*rows, header=header), result, said, options)


def gz(file, content, **options):
    return Trouble(file, gzip.compress(content.encode()), XYZ, options=options)


def json(*rows):
    return "".join(f"{row}\n" for row in rows)


THREE = ("u,x,1", "u,y,2", "u,z,3")
EVENTS = ("u,x,1,view", "u,y,2,cart", "u,q,3,remove", "u,z,4,buy", "u,w,5,view")
WITH_EVENT = "user,item,time,event_type"
HEADERLESS = "u,2020-01-01T00:00:00.277Z,x,0\nu,2020-01-03T00:00:00.1Z,z,0\nu,2020-01-02,y,S\n"
BY_NUMBER = {"user": "1", "time": "2", "item": "3"}

COLUMNS = {
    "a time by another name": csv(
        XYZ, "u,z,2020-01-03", "u,x,2020-01-01", "u,y,2020-01-02",
        header="user_id,product_id,event_time",
        said="columns: user = user_id, item = product_id, time = event_time",
    ),
    "names in other cases, with dots and blanks": csv(
        XYZ, "u,z,3", "u,x,1", "u,y,2", header="Customer No., Product.Code,Order Date",
    ),
    "a session beside a user": csv(
        XYZ, "u,s1,x,1", "u,s2,y,2", "u,s3,z,3", header="user_id,user_session,item,time",
        said="columns not used: user_session",
    ),
    "sessions alone": csv(
        XYZ, *THREE, header="session_id,item_id,time",
        said="no column of the user: each session_id is taken for a user of its own",
    ),
    "an event that is not used": csv(
        {"u": ["x", "y", "q", "z", "w"]}, *EVENTS, header=WITH_EVENT,
        said="column event_type is not used (view, buy, cart, …): all its events count alike",
    ),
    "no time": csv(XYZ, "u,x", "u,y", "u,z", header="user,item", said="there is no time: items"),
    "a time that is not known by its name": csv(
        {"u": ["z", "x", "y"]}, "u,z,2020-01-03", "u,x,2020-01-01", "u,y,2020-01-02",
        header="user,item,Moment", said="Moment looks like a time and is not used",
    ),
    "a column that is not there": csv("no column 'who'; choose --user-column from", *THREE,
                                      user="who"),
    "no item": csv("no item column found; choose --item-column from user, thing", "u,x",
                   header="user,thing"),
    "a column twice": csv("two columns 'user'; rename one", "u,v,x", header="user,user,item"),
    "a name twice that is not used": csv(
        XYZ, "u,x,,", "u,y,,", "u,z,,", header="user,item,note,note",
    ),
    "a column twice in RecBole's": Trouble(
        "log.inter", "user_id:token\titem_id:token\titem_id:token\nu\tx\ty\n",
        "two columns 'item_id'; rename one",
    ),
    "only lists": Trouble(
        "log.inter", "user_id:token\titem_id:token_seq\nu\tx y z\n",
        "column 'item_id' holds lists",
    ),
    "RecBole's types": Trouble(
        "log.inter",
        "user_id:token\titem_id:token\ttimestamp:float\nu\tz\t3.0\nu\tx\t1.5\nu\ty\t2\n", XYZ,
    ),
    "RecBole's histories": Trouble(
        "log.inter",
        "session_id:token\titem_id_list:token_seq\titem_id:token\n"
        "1\tx y\tz\n2\tx\tw\n3\ta b c\td\n",
        {"1": ["x", "y", "z"], "3": ["a", "b", "c", "d"]},
    ),
    "a session in several rows": Trouble(
        "log.inter",
        "session_id:token\titem_id_list:token_seq\titem_id:token\n1\tx y\tz\n1\tx\ty\n",
        "line 3: user '1' again, with a list of items",
    ),
}  # fmt: skip  # a table

FORMS = {
    "semicolons": csv(XYZ, "u;z;3", "u;x;1", "u;y;2", header="user;item;time"),
    "tabs in a CSV": csv(XYZ, "u\tz\t3", "u\tx\t1", "u\ty\t2", header="user\titem\ttime"),
    "semicolons in a TSV": Trouble("log.tsv", "user;item\nu;x\nu;y\nu;z\n", XYZ),
    "a quoted name with the other separator": csv(
        XYZ, "u;x;1;2", "u;y;2;3", "u;z;3;4",
        header='"user";"item";"time";"price, in EUR, with tax, per piece, net"',
    ),
    "a quoted name with this one": csv(XYZ, *(f"{r},0" for r in THREE),
                                       header='user,item,time,"a;b;c;d;e"'),
    "a semicolon in a quoted key": csv(
        {"u": ["a;b", "y", "z"]}, 'u;"a;b"', "u;y", "u;z", header="user;item",
    ),
    "no header, by number": Trouble(
        "clicks.dat", HEADERLESS, XYZ, "columns: user = 1, item = 3, time = 2", BY_NUMBER,
    ),
    "no header, and nothing said": Trouble(
        "clicks.dat", HEADERLESS,
        r"has no header: its first row is u, 2020.*as in --user-column 1 --item-column 3 "
        "--time-column 2",
    ),
    "a first row that could be a header": Trouble(
        "log.csv", "u,x\nu,y\nu,z\n", XYZ, options={"header": False, "user": "1", "item": "2"},
    ),
    "a number that is no column": Trouble(
        "log.csv", "u,x,1\n", "no column '7'; choose --item-column from 1, 2, 3",
        options={"user": "1", "item": "7"},
    ),
    "numbers for names": csv(XYZ, "u,x", "u,y", "u,z", header="1,2", user="1", item="2"),
    "a packed CSV": gz("log.csv.gz", csv_of(*reversed(THREE))),
    "a packed TSV": gz("log.tsv.gz", "user\titem\nu\tx\nu\ty\nu\tz\n"),
    "packed lines": gz("log.txt.gz", "u x y z\n"),
    "a packed RecBole file": gz("l.inter.gz", "user_id:token\titem_id:token\nu\tx\nu\ty\nu\tz\n"),
    "packed JSON lines": gz("l.jsonl.gz", json(*(f'{{"user":"u","item":"{i}"}}' for i in "xyz"))),
    "packed, and called otherwise": gz("log.csv", csv_of(*THREE)),
    "packed without a header": gz("log.csv.gz", HEADERLESS, **BY_NUMBER),
    "cut short while packed": Trouble(
        "log.csv.gz", gzip.compress(csv_of(*THREE).encode() * 9)[:-12], "is a damaged gzip file",
    ),
    "a zip archive": Trouble("log.csv", b"PK\x03\x04rest", "is a zip archive; unpack it"),
    "JSON lines": Trouble(
        "log.jsonl",
        json('{"user": "u", "item": "z", "time": 3.5}', '{"time": 1, "item": "x", "user": "u"}',
             "", '{"user": "u", "item": "y", "time": 2, "price": [1, 2]}'), XYZ,
        "columns not used: price",
    ),
    "JSON lines with numbers for keys": Trouble(
        "log.ndjson", json(*(f'{{"user": 1, "item": {i}}}' for i in (12345678901234567, 7.0, 8))),
        {"1": ["12345678901234567", "7", "8"]},
    ),
    "JSON lines in a file called JSON": Trouble(
        "log.json", json(*(f'{{"user": "u", "item": "{i}"}}' for i in "xyz")), XYZ,
    ),
    "JSON lines in a CSV": Trouble(
        "log.csv", json(*(f'{{"user": "u", "item": "{i}"}}' for i in "xyz")), XYZ,
    ),
    "a byte order mark before JSON": Trouble(
        "log.jsonl", "\ufeff" + json(*(f'{{"user": "u", "item": "{i}"}}' for i in "xyz")), XYZ,
    ),
    "a line that is no JSON": Trouble(
        "log.jsonl", json('{"user": "u", "item": "x"}', '{"user": "u", '), "line 2: .* is no JSON",
    ),
    "Python's own text": Trouble(
        "log.jsonl", "{'user': 'u', 'item': 'x'}\n", "line 1: .* is no JSON",
    ),
    "a key twice in JSON": Trouble(
        "log.jsonl", '{"user": "u", "user": "v", "item": "x"}\n', "two columns 'user'",
    ),
    "lists in JSON": Trouble(
        "log.jsonl", '{"user": "u", "item": [["x", "y"]]}\n', "'item', the item, holds lists",
    ),
    "blank lines and old Macs' line ends": Trouble(
        "LOG.CSV", "user,item\r\ru,x\ru,y\r\ru,z\r", XYZ,
    ),
    "a byte order mark": Trouble(
        "log.inter", "\ufeffuser_id:token\titem_id:token\nu\tx\nu\ty\nu\tz\n", XYZ,
    ),
    "lines": Trouble(
        "log.txt", "a x y z\nb z y\nc x y z x\n", {"a": ["x", "y", "z"], "c": ["x", "y", "z", "x"]},
    ),
    "MovieLens": Trouble("ratings.dat", "u::x::3::1\nu::z::3::3\nu::y::3::2\n", XYZ),
    "a long row": csv("line 3: 4 fields under a header of 3", "u,x,1", "u,y,2,3"),
    "another encoding": Trouble(
        "log.csv", b"user,item\nu,\xe9\n",
        "line 2: byte 0xe9 is not UTF-8 text; if it is Windows-1252: "
        "iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW",
    ),
    "another encoding, in the header": Trouble(
        "log.csv", b"user,item,gr\xf6\xdfe,m\xe4rz\nu,x,1,2\n",
        "line 1: byte 0xf6 is not UTF-8 text; if it is Windows-1252",
    ),
    "another encoding, packed": Trouble(
        "log.csv.gz", gzip.compress(b"user,item\nu,\xe9\n"),
        "line 2: byte 0xe9 .*: gzip -dc FILE . iconv -f WINDOWS-1252 -t UTF-8 > NEW",
    ),
    "another encoding, after many lines": Trouble(
        "log.tsv", b"user\titem\n" + b"u\tx\n" * 30_000 + b"u\t\xe9\n", "line 30002: byte 0xe9 is",
    ),
    "another encoding in JSON lines": Trouble(
        "log.jsonl", b'{"user": "u", "item": "x"}\n{"user": "u", "item": "\xe9"}\n',
        "line 2: byte 0xe9 is not UTF-8 text; if it is Windows-1252",
    ),
    "another encoding after many JSON lines": Trouble(
        "log.jsonl", b'{"user": "u", "item": "x"}\n' * 9000 + b'{"user": "u", "item": "\xe9"}\n',
        "line 9001: byte 0xe9 is not UTF-8 text; if it is Windows-1252",
    ),
    "another encoding in a list of JSON": Trouble(
        "log.json", b'[{"user": "u", "item": "x"},\n{"user": "u", "item": "\xe9"}]',
        "line 2: byte 0xe9 is not UTF-8 text; if it is Windows-1252",
    ),
    "another encoding in RecBole's": Trouble(
        "log.inter", b"user_id:token\titem_id:token\nu\t\xe9\n",
        "line 2: byte 0xe9 is not UTF-8 text; if it is Windows-1252",
    ),
    "another alphabet": Trouble(
        "log.csv", "user,item\nu,чай\n".encode("cp1251"),
        "line 2: byte 0xf7 is not UTF-8 text; unpack the file or save it as UTF-8",
    ),
}  # fmt: skip  # a table

KEYS = {
    "rows without a user": csv(XYZ, ",x,1", *THREE, " ,y,9",
                               said="left out: 2 rows without a user"),
    "rows without an item": csv(XYZ, *THREE, "u,,4", said="left out: 1 row without an item"),
    "NULL": csv(XYZ, *THREE, "NULL,x,4", said="left out: 1 row without a user"),
    "nan": csv(XYZ, *THREE, "u,nan,4", said="left out: 1 row without an item"),
    "None": csv(XYZ, *THREE, "None,x,4", said="left out: 1 row without a user"),
    "NA": Trouble("log.tsv", "user\titem\nu\tx\nu\ty\nu\tz\nu\tNA\n", XYZ,
                  "left out: 1 row without an item"),
    "None in lines": Trouble("log.txt", "u x y z None\n", XYZ, "left out: 1 row without an item"),
    "null in JSON": Trouble(
        "log.jsonl", json('{"user": null, "item": "x"}', '{"item": "x"}',
                          *(f'{{"user": "u", "item": "{i}"}}' for i in "xyz")), XYZ,
        "left out: 2 rows without a user",
    ),
    "an item called NA": csv({"u": ["NA", "None", "z"]}, "u,NA,1", "u,None,2", "u,,2", "u,z,3",
                             said="left out: 1 row without an item", keep_missing=True),
    "nothing but such rows": csv("no user is left .*left out: 2 rows without a user", ",x,1",
                                 "NULL,y,2"),
    "a bad time in a row that is left out": csv(XYZ, ",x,soon", *THREE),
    "no user, but a session": csv(
        {"u": ["x", "y", "z"], "session:7": ["x", "y", "w"]},
        "u,1,x,1", "u,1,y,2", "u,1,z,3", ",7,x,1", "NULL,7,y,2", ",7,w,3", ",,w,3",
        header="user,visit,item,time", session="visit",
        said="left out: 1 row without a user",
    ),
    "a user who is called like a session": csv(
        {"session:7": ["x", "y", "z"], "session::7": ["x", "y", "w"]},
        "session:7,1,x,1", "session:7,1,y,2", "session:7,1,z,3", ",7,x,1", ",7,y,2", ",7,w,3",
        header="user,session,item,time", session="session",
    ),
    "blanks around keys": csv(XYZ, " u,x ,1", "u, y,2", "u ,z,3"),
    "the same row twice": csv(XYZ, "u,x,1", "u,y,2", "u,x,1", "u,z,3",
                              said="left out: 1 exact duplicate row"),
    "whole numbers as pandas writes them": csv(
        {"1": ["242", "7", "10"]}, "1.0,242.0,1", "1.0,7.0,2", "1.0,10.0,3", ",3.0,9",
    ),
    "versions, which are no numbers": csv(
        {"1": ["1.0", "1.10", "2.0"]}, "1.0,1.0,1", "1.0,1.10,2", "1.0,2.0,3",
    ),
}  # fmt: skip  # a table

TIMES = {
    "nanoseconds": csv(
        {"u": ["w", "x", "y", "z"]},
        *(f"u,{i},{START + n}" for i, n in [("z", 3), ("x", 1), ("y", 2), ("w", 0)]),
    ),
    "nanoseconds of seconds": csv(
        XYZ, *(f"u,{i},1577836800.00000000{n}" for i, n in [("z", 3), ("x", 1), ("y", 2)]),
    ),
    "nanoseconds of dates": csv(
        XYZ, *(f"u,{i},2020-01-01T00:00:00.00000000{n}Z" for i, n in [("z", 3), ("x", 1), ("y", 2)])
    ),
    "days": Trouble(
        "log.tsv", "user\titem\ttime\nu\tz\t2020-01-02\nu\tx\t2020/01/01\nu\ty\t2020-01-01\n", XYZ,
        "50.0 % of neighbouring items of a user have the same time",
    ),
    "a zone that is written out": csv(
        XYZ, "u,z,2019-10-01 00:00:03 UTC", "u,x,2019-10-01 00:00:01 UTC",
        "u,y,2019-10-01 00:00:02.5 UTC",
    ),
    "zones of all kinds": csv(
        XYZ, "u,z,2019-10-01 03:00:00+00:00", "u,x,2019-10-01T05:00:00+0500",
        "u,y,2019-10-01T00:00:00-01:00",
    ),
    "newest first, with ties": csv(
        {"u": ["w", "x", "z", "y"]}, "u,z,2020-01-03", "u,y,2020-01-03", "u,x,2020-01-02",
        "u,w,2020-01-01", said="the rows stand newest first, so items of the same time are likely",
    ),
    "a counter, which passes through all magnitudes": csv(
        {"u": [f"{n:02}" for n in range(15)]}, *(f"u,{n:02},{10**n}" for n in range(15)),
    ),
    "zero dates of MySQL": csv(
        XYZ, "u,z,2020-01-03 09:00:00", "u,q,0000-00-00 00:00:00", "u,x,2020-01-01 09:00:00",
        "u,y,2020-01-02 09:00:00", "u,w,0000-00-00", said="left out: 2 rows without a time",
    ),
    "a zero date in the first row": csv(
        XYZ, "u,q,0000-00-00T00:00:00.000000Z", "u,z,2020-01-03T09:00:00+02:00",
        "u,x,2020-01-01T09:00:00+02:00", "u,y,2020-01-02T09:00:00+01:00", "u,w,00.00.0000 00:00",
        said="left out: 2 rows without a time",
    ),
    "a zero date among numbers": csv(XYZ, "u,z,1577836803", "u,q,0000-00-00", "u,x,1577836801",
                                     "u,y,1577836802", said="left out: 1 row without a time"),
    "a zero date in JSON": Trouble(
        "log.jsonl", json('{"user": "u", "item": "q", "time": "0000-00-00 00:00:00"}',
                          '{"user": "u", "item": "w", "time": null}', '{"user": "u", "item": "v"}',
                          *(f'{{"user":"u","item":"{i}","time":"2020-01-01"}}' for i in "xyz")),
        XYZ, "left out: 3 rows without a time",
    ),
    "a zero date in RecBole's": Trouble(
        "log.inter", "user_id:token\titem_id:token\ttimestamp:float\nu\tz\t3.0\nu\tq\t0000-00-00\n"
        "u\tx\t1.5\nu\ty\t2\nu\tw\t\n", XYZ, "left out: 2 rows without a time",
    ),
    "a zero date that is none": csv("line 3: '0000-00-01' is not a time", "u,x,2020-01-01",
                                    "u,y,0000-00-01"),
    "rows without a time": csv(XYZ, "u,z,3", "u,q,", "u,x,1", "u,y,2", "u,w,nan", "u,v,NULL",
                               said="left out: 3 rows without a time"),
    "whole numbers without some": csv(
        {"u": ["w", "x", "y", "z"]}, "u,q, ",
        *(f"u,{i},{START + n}" for i, n in [("z", 3), ("x", 1), ("y", 2), ("w", 0)]),
    ),
    "no user and no time": csv(XYZ, *THREE, ",q,", said="left out: 1 row without a user"),
    "no time in any row": csv(
        "left out: 2 rows without a time.; see whether the time's column is the right one",
        "u,x,", "u,y,0000-00-00",
    ),
    "day and month": csv("line 2: '03/04/2020' is not a time", "u,x,03/04/2020"),
    "two units of time": csv(
        "line 3: the time 1577836801000 is in milliseconds, that of line 2, 1577836800, in seconds",
        "u,x,1577836800", "u,y,1577836801000", "u,z,1577836802",
    ),
    "two units with fractions": csv(
        "line 2: the time 1577836800000.5 is in milliseconds, that of line 3",
        "u,x,1577836800000.5", "u,y,1577836801.5",
    ),
}  # fmt: skip  # a table

DAY = [f"u,{i},2020-01-01 {h}:{m:02}:00" for i, h, m in [
    ("x", 10, 0), ("y", 10, 30), ("z", 11, 0), ("a", 11, 31), ("b", 11, 40), ("c", 12, 0),
    ("d", 20, 0)]]  # fmt: skip
CUT = {"u#1": ["x", "y", "z"], "u#2": ["a", "b", "c"]}

EVENT = {
    "only some events": csv(
        {"u": ["x", "z", "w"]}, *EVENTS, header=WITH_EVENT, only=("view", "buy"),
        said="left out: 2 rows of other events (cart, remove)",
    ),
    "weights": csv(
        {"u": ["x", "y", "z", "w"]}, *EVENTS, header=WITH_EVENT, weights="view=1,cart=2,buy=4",
        said="left out: 1 row of other events (remove)",
    ),
    "an event that no row is of": csv(
        {"u": ["x", "z", "w"]}, *EVENTS, header=WITH_EVENT, only="view,buy,purchase",
        said="no row is of the event purchase; the events are view, buy, cart, remove",
    ),
    "no event that counts": csv(
        "no row is of an event that counts; the events are view, buy, cart, remove", *EVENTS,
        header=WITH_EVENT, only="purchase",
    ),
    "no column of events": csv("no event column found; choose --event-column from", *THREE,
                               only="buy"),
    "no column of events in MovieLens": Trouble(
        "u.data", "1\t2\t3\t4\n", "has no column of the event", options={"only": "buy"},
    ),
    "weights that are none": csv("are no weights of events; write view=1,cart=2", *THREE,
                                 weights="view,cart"),
    "low ratings": csv(
        XYZ, "u,x,4", "u,q,3.5", "u,y,5", "u,r,", "u,z,4.0", header="user,item,stars", min_rating=4,
        said="left out: 1 row with a rating below 4",
    ),
    "low ratings of MovieLens": Trouble(
        "u.data", "u\tx\t4\t1\nu\tq\t3\t2\nu\ty\t4\t3\nu\tz\t5\t4\n", XYZ,
        options={"min_rating": 4},
    ),
    "repeats": csv(
        {"u": ["x", "y", "x"]}, "u,x,1", "u,x,2", "u,y,3", "u,x,4", "u,x,5", collapse_repeats=True,
        said="left out: 2 repeats of the item just before",
    ),
    "repeats that are kept": csv(
        {"u": ["x", "x", "y", "x"]}, "u,x,1", "u,x,2", "u,y,3", "u,x,4",
        said="repeats: 66.7 % of targets repeat an earlier item of their own history, 33.3 % the",
    ),
    "sessions by a gap": csv(CUT, *DAY, session_gap="30m",
                             said="left out: 1 session with fewer than 3 items"),
    "sessions by a gap of seconds": csv(
        {"u#1": ["x", "y", "z"]}, "u,x,1577836800", "u,y,1577836810", "u,z,1577836819",
        "u,q,1577836830", session_gap=10,
    ),
    "a gap in no unit": csv("the times are no dates, .* leave out --session-gap", *THREE,
                            session_gap="1h"),
    "a gap without a time": csv("no time column found", "u,x", header="user,item",
                                session_gap="1h"),
    "a gap that is none": csv("'soon' is no time; write a number and s, m, h or d", *THREE,
                              session_gap="soon"),
}  # fmt: skip  # a table

TROUBLES = {**COLUMNS, **FORMS, **KEYS, **TIMES, **EVENT}
