"""Draws the stream, for docs/concepts.md, in light and in dark colours.

python scripts/stream_picture.py docs/images
"""

from __future__ import annotations

import sys
from pathlib import Path

# Letters, quiet letters, lines, boxes, what is read at a tap, what is new.
COLOURS = {
    "light": ("#1f2328", "#59636e", "#9aa4ae", "#eef2f5", "#f2b8a2", "#00796b"),
    "dark": ("#e6edf3", "#9da7b1", "#6e7681", "#2a3038", "#a35a3f", "#4db6ac"),
}
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
MONO = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
WIDTH, HEIGHT = 760, 392
TAPS, LEFT, STEP, BOX = 4, 150, 150, 34


def draw(scheme: str) -> str:
    """The picture as SVG."""
    ink, quiet, line, box, read, new = COLOURS[scheme]
    style = f"""
text {{ font-family: {FONT}; font-size: 14px; fill: {ink} }}
.quiet {{ fill: {quiet}; font-size: 13px }} .head {{ font-weight: 600; font-size: 15px }}
.code {{ font-family: {MONO}; font-size: 13px }}
.line {{ stroke: {line}; stroke-width: 1.5; fill: none }}
.box {{ fill: {box}; stroke: {line} }} .read {{ fill: {read} }} .new {{ fill: {new} }}
.state {{ fill: {box}; stroke: {new}; stroke-width: 2 }}"""
    parts = [*_whole_histories(), *_stream()]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">\n'
        "<title>A usual export reads the whole history at each tap; the stream updates a state"
        f"</title>\n<style>{style}\n</style>\n"
        '<defs><marker id="end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="{line}"/></marker></defs>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _whole_histories() -> list[str]:
    """Above: at tap n the model reads n items."""
    parts = [
        _text(0, 20, "A usual export: each tap reads the whole history again", "head"),
        _text(0, 78, "what is read", "quiet"),
        _text(0, 126, "the work", "quiet"),
    ]
    for tap in range(1, TAPS + 1):
        x = LEFT + (tap - 1) * STEP
        for item in range(tap):
            kind = "new" if item == tap - 1 else "read"
            parts.append(_rect(x + item * 22, 60, 18, 26, kind, 3))
        parts.append(_rect(x, 116, 22 * tap, 10, "read", 2))
        parts.append(_text(x, 50, f"tap {tap}", "quiet"))
    return parts


def _stream() -> list[str]:
    """Below: states in a chain, an item into each, a list out of the last."""
    top = 172
    parts = [
        _line(0, top - 18, WIDTH, top - 18),
        _text(0, top + 8, "The stream: each tap updates a small state", "head"),
        _text(0, top + 84, "the state", "quiet"),
        _text(0, top + 132, "the work", "quiet"),
    ]
    middle = top + 80
    for tap in range(1, TAPS + 1):
        x = LEFT + (tap - 1) * STEP
        parts.append(_rect(x, top + 26, 18, 26, "new", 3))
        parts.append(_text(x + 24, top + 44, "append", "code"))
        parts.append(_line(x + 9, top + 52, x + 9, middle - 17, arrow=True))
        parts.append(_rect(x - 8, middle - BOX / 2, BOX, BOX, "state", 6))
        if tap < TAPS:
            parts.append(_line(x - 8 + BOX, middle, x - 10 + STEP, middle, arrow=True))
        parts.append(_rect(x + 20, top + 122, 22, 10, "read", 2))
    x = LEFT + (TAPS - 1) * STEP + 9
    parts += [
        _line(x, middle + BOX / 2, x, top + 168, arrow=True),
        _text(x + 8, top + 158, "recommend", "code"),
    ]
    for place in range(5):
        parts.append(_rect(x - 44 + place * 22, top + 172, 18, 26, "box", 3))
    parts += [
        _text(
            0, top + 190, "and whenever a list is wanted, the best items of the catalogue", "quiet"
        ),
    ]
    return parts


def _rect(x: float, y: float, width: float, height: float, kind: str, radius: int) -> str:
    size = f'width="{width:g}" height="{height:g}"'
    return f'<rect class="{kind}" x="{x:g}" y="{y:g}" {size} rx="{radius}"/>'


def _line(x: float, y: float, to_x: float, to_y: float, *, arrow: bool = False) -> str:
    end = ' marker-end="url(#end)"' if arrow else ""
    return f'<path class="line" d="M{x:g} {y:g} {to_x:g} {to_y:g}"{end}/>'


def _text(x: float, y: float, words: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}">{words}</text>'


if __name__ == "__main__":
    for scheme in COLOURS:
        Path(sys.argv[1], f"stream-{scheme}.svg").write_text(draw(scheme), "utf-8")
