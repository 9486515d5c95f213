"""What a table of items says of them: which columns, which rows, and what is refused."""

import gzip
import json
import logging

import pandas as pd
import polars as pl
import pytest

from glint_edge.data.catalogue import ITEMS_SCHEMA, Catalogue
from glint_edge.data.features import features_of
from glint_edge.data.items import ItemFile, described, describing
from glint_edge.data.reading import columns
from glint_edge.errors import ConfigError, DataError
from glint_edge.json_files import Fault

CATALOGUE = Catalogue(("", "1", "2", "3", "4"), {"4": "old"})
ROWS = [
    {"sku": "1", "name": " Red shoe ", "category": "Shoes", "price": "12.50",
     "photo": "https://cdn.example/1.png"},
    {"sku": "2.0", "name": "Hat; blue, wide", "category": "Hats", "price": "3", "photo": ""},
    {"sku": "3", "name": "", "category": "", "price": "nan", "photo": "HTTP://cdn.example/3?a=b"},
    {"sku": "9", "name": "Of another shop", "category": "Hats", "price": "1", "photo": ""},
    {"sku": "", "name": "No key", "category": "Hats", "price": "1", "photo": ""},
]  # fmt: skip
SHOWN = {
    "titles": {"1": "Red shoe", "2": "Hat; blue, wide", "4": "old"},
    "fields": {"category": {"1": "Shoes", "2": "Hats"}, "price": {"1": "12.50", "2": "3"}},
    "images": {"1": "https://cdn.example/1.png", "3": "HTTP://cdn.example/3?a=b"},
}
FIELDS = {"fields": ("category", "price"), "image": "photo"}


def delimited(separator, rows=ROWS):
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join(separator.join(f'"{value}"' for value in line) for line in lines) + "\n"


def write(path, text):
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def shown(catalogue):
    plain = catalogue.to_dict()
    return {name: plain.get(name, {}) for name in SHOWN}


FORMS = {
    "items.csv": lambda: delimited(","),
    "items.csv.gz": lambda: delimited(","),
    "export.csv": lambda: "\ufeff" + delimited(";"),
    "items.tsv": lambda: delimited("\t"),
    "items.txt": lambda: delimited("\t"),
    "items.jsonl": lambda: "".join(json.dumps(row) + "\n" for row in ROWS),
    "items.json": lambda: json.dumps(ROWS, indent=2),
    "items.json.gz": lambda: json.dumps(ROWS),
    "pipes.csv": lambda: delimited("|"),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_text_format_of_logs_gives_the_same(name, tmp_path):
    file = write(tmp_path / name, FORMS[name]())
    assert shown(described(CATALOGUE, ItemFile(file, **FIELDS))) == SHOWN


@pytest.mark.parametrize("kind", ["parquet", "polars", "pandas", "numbers"])
def test_tables_with_types_give_the_same(kind, tmp_path):
    source = pl.DataFrame(ROWS)
    if kind == "parquet":
        source.write_parquet(tmp_path / "items.parquet")
        source = tmp_path / "items.parquet"
    elif kind == "pandas":
        source = pd.DataFrame(ROWS)
    elif kind == "numbers":
        source = source.with_columns(
            pl.col("sku").cast(pl.Float64, strict=False),
            pl.col("price").replace("12.50", "12.5").cast(pl.Float64),
        )
    table = shown(described(CATALOGUE, ItemFile(source, **FIELDS)))
    if kind == "numbers":
        assert table["fields"].pop("price") == {"1": "12.5", "2": "3"}
    assert table == {**SHOWN, "fields": table["fields"]}
    assert table["fields"]["category"] == SHOWN["fields"]["category"]


def test_what_was_taken_and_left_out_is_told(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    described(CATALOGUE, ItemFile(write(tmp_path / "items.csv", delimited(",")), **FIELDS))
    assert [record.getMessage() for record in caplog.records] == [
        "items.csv: columns: key = sku, title = name, image = photo, fields = category, price",
        "items.csv: left out: 1 row without a key",
        "items.csv: left out: 1 row of items that the model does not have",
        "items.csv: 4 has no row: it is shown as before",
        "items.csv: category: 2 values of 2 items: shown with the items; not learned, no filter",
        "items.csv: price: 2 values of 2 items: shown with the items; not learned, no filter",
    ]


@pytest.mark.parametrize(
    ("keys", "titles", "note"),
    [
        ("1 2 3 GIFT", "", "items.csv: GIFT has no row: it is shown by its key"),
        ("1 2 3 7 5", "", "2 of 5 items have no row (7, 5): these are shown by their keys"),
        ("1 8 7 6 5", "", "4 of 5 items have no row (8, 7, 6, …): these are shown by their keys"),
        ("1 7 6", "7 6", "2 of 3 items have no row (7, 6): these are shown as before"),
        ("1 7 6", "7", "(7, 6): these are shown as before, 1 of them by their keys"),
    ],
)
def test_items_without_a_row_are_named_and_what_becomes_of_them(keys, titles, note, tmp_path):
    catalogue = Catalogue(("", *keys.split()), {key: "old" for key in titles.split()})
    table = ItemFile(write(tmp_path / "items.csv", delimited(",")))
    assert describing(catalogue, table).notes[-1].endswith(note)


@pytest.mark.parametrize(
    ("header", "key", "title"),
    [
        ("EAN;Artikelnummer;Bezeichnung;Warengruppe", "Artikelnummer", "Bezeichnung"),
        ("article_no;article_name;price;name", "article_no", "name"),
        ("Artikel-Nr.;Artikelbezeichnung;VK-Preis;EAN", "Artikel-Nr.", "Artikelbezeichnung"),
        ("Produktname;Produkt-ID;Artikel;Preis", "Produkt-ID", "Produktname"),
        ("id;Artikelname;Preis;Marke", "id", "Artikelname"),
    ],
)
def test_shops_own_names_of_columns_are_known(header, key, title, tmp_path):
    row = ";".join({key: "1", title: "Seil"}.get(name, "7") for name in header.split(";"))
    file = write(tmp_path / "items.csv", f"{header}\n{row}\n")
    of_table = describing(CATALOGUE, ItemFile(file))
    assert of_table.notes[0] == f"items.csv: columns: key = {key}, title = {title}"
    assert of_table.catalogue.titles["1"] == "Seil"


def test_no_usual_name_has_two_roles():
    names = [name for role in columns.ROLES for name in columns._USUAL[role]]
    assert len(names) == len(set(names))
    titles = set(columns.ITEM_TITLES)
    assert len(titles) == len(columns.ITEM_TITLES)
    assert titles & set(columns.ITEM_KEYS) <= {"trackname", "gametitle"}
    assert all(columns._plain(name) == name for name in (*names, *titles))


ESCAPED = [
    {"sku": "1", "name": "Zelt &amp; Plane &quot;L&quot;", "brand": "Karst &amp; S&ouml;hne",
     "photo": "https://cdn.example/1?a=1&amp;b=2"},
    {"sku": "2", "name": "Gr&#246;&#xDF;e 42 &lt;neu&gt;&nbsp;", "brand": "A&B; Q&sections",
     "photo": ""},
    {"sku": "3", "name": "Seil & Haken", "brand": "Karst & Söhne", "photo": ""},
    {"sku": "4", "name": "&nbsp;", "brand": "", "photo": ""},
]  # fmt: skip


@pytest.mark.parametrize("kind", ["csv", "json", "parquet", "polars"])
def test_entities_are_shown_as_their_characters_and_counted(kind, tmp_path):
    source = pl.DataFrame(ESCAPED)
    if kind == "csv":
        rows = [{n: text.replace('"', "") for n, text in row.items()} for row in ESCAPED]
        source = write(tmp_path / "items.csv", delimited(",", rows))
    elif kind == "json":
        source = write(tmp_path / "items.json", json.dumps(ESCAPED))
    elif kind == "parquet":
        source.write_parquet(tmp_path / "items.parquet")
        source = tmp_path / "items.parquet"
    of_table = describing(CATALOGUE, ItemFile(source, fields=("brand",), image="photo"))
    assert of_table.catalogue.titles == {
        "1": 'Zelt & Plane "L"', "2": "Größe 42 <neu>", "3": "Seil & Haken",
    }  # fmt: skip
    own = of_table.catalogue.fields["brand"]
    assert own == {"1": own["3"], "2": "A&B; Q&sections", "3": "Karst & Söhne"}
    assert of_table.catalogue.images == {"1": "https://cdn.example/1?a=1&b=2"}
    assert any(
        note.endswith(
            "HTML entities, as &amp; for &, are read as their characters: 3 of name, 1 of photo, "
            "1 of brand"
        )
        for note in of_table.notes
    )


def test_titles_alone_are_taken_where_nothing_else_is_asked_for(tmp_path):
    table = shown(described(CATALOGUE, ItemFile(write(tmp_path / "items.csv", delimited(",")))))
    assert table == {"titles": SHOWN["titles"], "fields": {}, "images": {}}


def test_a_second_table_says_what_is_shown_now(tmp_path):
    before = described(CATALOGUE, ItemFile(write(tmp_path / "a.csv", delimited(",")), **FIELDS))
    rows = [
        {"id": "1", "category": "Boots", "brand": "Acme"},
        {"id": "4", "category": "", "brand": ""},
    ]
    again = write(tmp_path / "b.csv", delimited(",", rows))
    # Without a name, the fields that the catalogue has are looked for; titles and pictures stay.
    same = shown(described(before, ItemFile(again)))
    assert same["fields"] == {
        "category": {"1": "Boots", "2": "Hats"}, "price": SHOWN["fields"]["price"],
    }  # fmt: skip
    assert same["titles"] == SHOWN["titles"] and same["images"] == SHOWN["images"]
    named = shown(described(before, ItemFile(again, fields=("brand",))))
    assert named["fields"] == {"brand": {"1": "Acme"}}
    only = shown(described(before, ItemFile(again, fields=("brand",)), only={"4"}))
    assert only["fields"] == SHOWN["fields"]


REFUSED = {
    "": "is empty; pass a table with a row an item",
    "a,b\n1,2\n": "no column of the item's key found; choose --item-key from a, b",
    "sku\n1\n": "no column of titles found; choose --item-title from sku",
    "sku,sku,name\n1,2,x\n": "two columns 'sku'; rename one",
    "sku,name\n7,x\n8,y\n": "no row of an item of the model, whose keys are like '1'",
    "sku,name\n1,x\n2,y\n1.0,z\n": (
        "line 4: item '1' again, with another name: 'z', and 'x' in line 2"
    ),
    "sku,name\n1,x\n2\n3,y,z\n": "line 4: 3 fields under a header of 2",
    f"sku,name\n1,{'x' * 10_001}\n": "line 2: name has 10,001 characters; write at most 10,000",
    "sku,name\n1,\xff\n".encode("latin-1"): "line 2: byte 0xff is not UTF-8",
}


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_what_makes_no_sense_is_refused_in_a_line(text, tmp_path):
    file = tmp_path / "items.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError) as error:
        described(CATALOGUE, ItemFile(file))
    assert REFUSED[text] in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "address",
    ["ftp://a.example/1.png", "javascript:alert(1)", "//a.example/1.png", "pictures/1.png", "https://",
     "https://a.example/1 2.png", "https://me:secret@a.example/1.png",
     "data:image/png;base64,AAAA"],
)  # fmt: skip
def test_a_picture_has_an_http_address(address, tmp_path):
    file = write(tmp_path / "items.csv", f'sku,name,photo\n2,x,\n1,x,"{address}"\n')
    with pytest.raises(DataError, match=r"line 3: '.*' is no http or https address of a picture"):
        described(CATALOGUE, ItemFile(file, image="photo"))
    with pytest.raises(Fault, match=r"at \$.images.1"):
        ITEMS_SCHEMA.check({"keys": ["1"], "images": {"1": address}})


PICTURES = {
    "1": ["https://a.example/1.png", "https://a.example/2,3.png"],
    "2": ["https://a.example/4.png"],
    "3": [],
    "4": ["", " https://a.example/5.png ", "https://a.example/6.png"],
}


@pytest.mark.parametrize("kind", ["csv", "lines", "list", "parquet", "polars", "pandas"])
def test_of_a_list_of_pictures_the_first_is_shown(kind, tmp_path):
    rows = [{"sku": key, "name": "x", "photos": own} for key, own in PICTURES.items()]
    texts = [{**row, "photos": json.dumps(row["photos"])} for row in rows]
    frame, file = pl.DataFrame(rows), tmp_path / f"items.{kind}"
    if kind == "parquet":
        frame.write_parquet(file)
    elif kind == "csv":
        pl.DataFrame(texts).write_csv(file)
    elif kind == "list":
        write(file, json.dumps(rows))
    else:
        write(file, "".join(json.dumps(row) + "\n" for row in rows))
    source = {"polars": frame, "pandas": pd.DataFrame(rows)}.get(kind, file)
    description = describing(CATALOGUE, ItemFile(source, image="photos", separator=","))
    assert description.catalogue.images == {
        "1": "https://a.example/1.png",
        "2": "https://a.example/4.png",
        "4": "https://a.example/5.png",
    }
    assert description.notes[-1].endswith(": of several pictures the first: 2 items")


def test_a_web_interfaces_answer_is_refused_with_what_unwraps_it(tmp_path):
    (tmp_path / "items.json").write_text(json.dumps({"products": ROWS, "page": 1}))
    with pytest.raises(DataError, match=r"its rows in 'products'; .* jq -c '\.products\[\]' does"):
        described(CATALOGUE, ItemFile(tmp_path / "items.json"))


def test_a_list_of_pictures_that_are_no_addresses_is_refused(tmp_path):
    file = write(tmp_path / "items.jsonl", '{"sku": "1", "photos": [{"url": "https://a.b/1"}]}')
    with pytest.raises(DataError, match="is no http or https address of a picture"):
        described(CATALOGUE, ItemFile(file, image="photos"))


def test_columns_that_are_not_there_are_refused_with_those_that_are(tmp_path):
    file = write(tmp_path / "items.csv", "sku,name\n1,x\n")
    wrong = {"key": "id", "title": "t", "image": "i", "field": ("f",)}
    for flag, name in wrong.items():
        named = {"fields" if flag == "field" else flag: name}
        with pytest.raises(
            DataError, match=rf"no column '\w+'; choose --item-{flag} from sku, name"
        ):
            described(CATALOGUE, ItemFile(file, **named))


def test_what_is_no_table_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        ItemFile(tmp_path / "nothing.csv")
    with pytest.raises(DataError, match="is a folder or a pipe"):
        ItemFile(tmp_path)
    with pytest.raises(DataError, match="is no table of items"):
        described(CATALOGUE, ItemFile(7))
    with pytest.raises(ConfigError, match=r"write fields=\['brand'\]"):
        ItemFile(pl.DataFrame(ROWS), fields="brand")
    with pytest.raises(DataError, match="'name', the title, holds lists or objects; flatten it"):
        described(CATALOGUE, ItemFile(pl.DataFrame({"sku": ["1"], "name": [["a"]]})))


SEVERAL = [
    {"sku": "1", "genre": ["Action, fast", "War"]},
    {"sku": "2", "genre": ["War", " Action, fast ", "", "War"]},
    {"sku": "3", "genre": []},
    {"sku": "4", "genre": ["Rare"]},
]


@pytest.mark.parametrize(
    "kind", ["parquet", "json", "mixed", "list", "inside", "polars", "pandas", "csv", "text"]
)
def test_a_field_of_several_values_is_the_same_in_every_format(kind, tmp_path):
    source, separator = pl.DataFrame(SEVERAL), None
    if kind == "parquet":
        source.write_parquet(tmp_path / "items.parquet")
        source = tmp_path / "items.parquet"
    elif kind in ("json", "mixed"):
        last = {"sku": "4", "genre": "Rare"} if kind == "mixed" else SEVERAL[3]
        lines = "".join(json.dumps(row) + "\n" for row in (*SEVERAL[:3], last))
        source = write(tmp_path / "items.jsonl", lines)
    elif kind == "list":
        source = write(tmp_path / "items.json", json.dumps(SEVERAL))
    elif kind == "inside":
        rows = ({"sku": row["sku"], "shown": {"genre": row["genre"]}} for row in SEVERAL)
        file = write(tmp_path / "inside.json", json.dumps(list(rows)))
        own = describing(CATALOGUE, ItemFile(file, fields=("shown.genre",))).values["shown.genre"]
        assert own == {"1": ("Action, fast", "War"), "2": ("War", "Action, fast"), "4": ("Rare",)}
        return
    elif kind == "pandas":
        source = pd.DataFrame(SEVERAL)
    elif kind in ("csv", "text"):
        rows = [{**row, "genre": "|".join(row["genre"])} for row in SEVERAL]
        source, separator = pd.DataFrame(rows), "|"
        if kind == "csv":
            source = write(tmp_path / "items.csv", delimited(",", rows))
    items = ItemFile(source, fields=("genre",), separator=separator)
    of_table = describing(CATALOGUE, items)
    both = ("Action, fast", "War")
    assert of_table.values == {"genre": {"1": both, "2": both[::-1], "4": ("Rare",)}}
    assert of_table.catalogue.fields["genre"] == {
        "1": "Action, fast, War", "2": "War, Action, fast", "4": "Rare",
    }  # fmt: skip
    features = features_of(CATALOGUE.keys, of_table.values)
    # A value of a single item teaches nothing of another.
    assert features.pairs == tuple(("genre", value) for value in both)
    assert features.numbers.tolist() == [0, 1, 0, 1]
    assert features.offsets.tolist() == [0, 0, 2, 4, 4, 4] and features.known == 2


def test_without_a_separator_a_text_is_one_value():
    source = pd.DataFrame({"sku": ["1", "2", "3"], "category": ["a, b", "a, b", "a, b"]})
    items = ItemFile(source, fields=("category",))
    assert describing(CATALOGUE, items).features(items).pairs == (("category", "a, b"),)
    with pytest.raises(ConfigError, match="the separator of items is empty"):
        ItemFile(source, separator="")


def test_a_field_steers_no_terminal():
    catalogue = Catalogue(("", "1"), {}, fields={"a\x1b[31m": {"1": "x\ny"}})
    assert catalogue.fields == {"a [31m": {"1": "x y"}}


def test_what_an_item_is_called_is_no_part_of_what_a_model_is():
    assert CATALOGUE.identity() == Catalogue(CATALOGUE.keys, {}, version=3).identity()
    assert CATALOGUE.identity() != Catalogue(CATALOGUE.keys, {}, ("4",)).identity()
