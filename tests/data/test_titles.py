"""Titles from the files beside a log."""

import pytest

from glint_edge.errors import DataError
from tests.data.logs import load, write_csv, write_dat, write_inter, write_u_data

THREE = [("u", "1", 1), ("u", "2", 2), ("u", "3", 3)]


def test_titles_of_recbole_carry_the_year(tmp_path):
    write_inter(tmp_path / "log.inter", THREE)
    (tmp_path / "log.item").write_text(
        "item_id:token\tmovie_title:token_seq\trelease_year:token\n"
        "1\tToy Story\t1995\n2\tunknown\tV\n9\tNot in the log\t1990\n3\n"
    )
    assert load(tmp_path / "log.inter").titles == {"1": "Toy Story (1995)", "2": "unknown"}


def test_entities_in_titles_are_their_characters(tmp_path, caplog):
    caplog.set_level("INFO")
    write_u_data(tmp_path / "u.data", THREE)
    (tmp_path / "u.item").write_text("1|Wallace &amp; Gromit\n2|Gr&#252;n\n3|A & B\n")
    assert load(tmp_path / "u.data").titles == {"1": "Wallace & Gromit", "2": "Grün", "3": "A & B"}
    assert "are read as their characters: 2 of the titles" in caplog.text


def test_titles_of_recbole_without_year_or_title(tmp_path):
    write_inter(tmp_path / "log.inter", THREE)
    (tmp_path / "log.item").write_text("item_id:token\tTitle:token_seq\n1\tToy\n")
    assert load(tmp_path / "log.inter").titles == {"1": "Toy"}
    (tmp_path / "log.item").write_text("item_id:token\tclass:token_seq\n1\tToy\n")
    assert load(tmp_path / "log.inter").titles == {}


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
@pytest.mark.parametrize(
    ("log", "write", "beside", "text"),
    [
        ("u.data", write_u_data, "u.item", "1|Misérables, Les (1995)|1995|0\n2|Alien|1979|1\n"),
        ("ratings.dat", write_dat, "movies.dat", "1::Misérables, Les (1995)::Drama\n2::Alien::X\n"),
        (
            "ratings.csv",
            write_csv,
            "movies.csv",
            'movieId,title,genres\n1,"Misérables, Les (1995)",Drama\n2,Alien,X\n',
        ),
    ],
)
def test_titles_of_movielens(tmp_path, caplog, log, write, beside, text, encoding):
    write(tmp_path / log, THREE)
    assert load(tmp_path / log).titles == {}
    (tmp_path / beside).write_text(text, encoding=encoding)
    assert load(tmp_path / log).titles == {"1": "Misérables, Les (1995)", "2": "Alien"}
    warning = f"{beside} is not UTF-8: its titles are read as Windows-1252"
    assert (warning in caplog.text) == (encoding == "latin-1")


@pytest.mark.parametrize(
    ("encoding", "title"),
    [("cp1251", "Матрица"), ("shift_jis", "千と千尋の神隠し"), ("gbk", "千与千寻"),
     ("utf-16", "Alien"), ("cp1253", "Ζορμπάς"), ("cp1252", "\x81")],
)  # fmt: skip
def test_titles_in_another_alphabet_s_encoding_are_refused(tmp_path, encoding, title):
    write_u_data(tmp_path / "u.data", THREE)
    text = f"1|Alien\n2|{title}\n".encode("latin-1" if title == "\x81" else encoding)
    (tmp_path / "u.item").write_bytes(text)
    with pytest.raises(DataError, match=r"u\.item, line \d: byte 0x.. is not UTF-8.*as UTF-8"):
        load(tmp_path / "u.data")
