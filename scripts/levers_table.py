"""Writes the tables of levers in docs/training.md, of the declarations in glint_edge/config/.

python scripts/levers_table.py
"""

from __future__ import annotations

from pathlib import Path

from glint_edge.config import LEVERS, PANELS
from glint_edge.levers import Lever

PAGE = Path(__file__).parents[1] / "docs" / "training.md"
START = "<!-- levers: written by scripts/levers_table.py -->"
END = "<!-- end of levers -->"


def tables() -> str:
    """A table a panel; a search space in bold is one of those that `tune` takes by itself."""
    parts = []
    for panel in PANELS:
        rows = [_row(lever) for lever in LEVERS.values() if lever.panel == panel]
        head = f"| {panel} | what it does | values | default | searched |"
        parts.append("\n".join([head, "| --- | --- | --- | --- | --- |", *rows]))
    return "\n\n".join(parts)


def _row(lever: Lever) -> str:
    flag = f"`--{lever.flag}`" + (f", `--{lever.also}`" if lever.also else "")
    default = str(lever.default).lower()
    space = str(lever.search or "")
    cells = (flag, lever.help, lever.range, default, f"**{space}**" if lever.usual else space)
    return f"| {' | '.join(cells)} |"


def with_tables(page: str) -> str:
    """The page, its tables written anew."""
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n\n{tables()}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
