"""A profile as a flame-like picture: method, then provider, kind and operator, by time.

It is one SVG without scripts or styles of its own, to stand alone or within a page:

- places are percentages and letters are not scaled, so it is readable on a phone;
- letters and lines are of the page's colour, areas are translucent, so it is on light and dark;
- what an area is and took is its tooltip;
- a page may choose other colours by the variables `--flame-0` to `--flame-7`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from device_bench.profiling.profile import Kind, Method, Operator, Profile
from device_bench.profiling.table import heading, short

ROW, GAP, TITLE = 22, 14, 20  # pixels
# Okabe and Ito's colours, which people who see few of them can tell apart; then grey.
COLOURS = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999",
)  # fmt: skip
OTHERS = len(COLOURS) - 1  # the colour of all further kinds
NARROW = 0.002  # of a method; narrower operators of a kind are one area
LABELLED = 0.04  # of a method; a narrower area has no letters
FONT = "ui-sans-serif, system-ui, sans-serif"


@dataclass(frozen=True)
class Area:
    """One rectangle of a method's picture.

    Attributes:
        left: where it begins, of the method's width.
        width: of the method's width.
        row: 0 is the method itself.
        label: what is written on it.
        detail: what its tooltip says.
        colour: of `COLOURS`; None: no colour.
    """

    left: float
    width: float
    row: int
    label: str
    detail: str
    colour: int | None = None


def flame_svg(title: str, profile: Profile) -> str:
    """The picture, as the text of an `<svg>` element.

    Methods are drawn to one width each, whatever they take.

    Args:
        title: of the artifact, such as "executorch int8", for those who hear the page.
        profile: of it; methods without operators are left out.
    """
    methods = [method for method in profile.methods if method.operators]
    colours = _colours(methods)
    svg = ElementTree.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg", "role": "img", "width": "100%",
            "font-family": FONT, "font-size": "12", "fill": "currentColor",
        },
    )  # fmt: skip
    ElementTree.SubElement(svg, "title").text = f"{title}: time by operator"
    top = 0
    for method in methods:
        text = ElementTree.SubElement(svg, "text", {"y": str(top + 14), "font-weight": "600"})
        text.text = heading(method)
        areas = list(areas_of(method, colours))
        for area in areas:
            _draw(svg, area, top + TITLE)
        top += TITLE + (1 + max(area.row for area in areas)) * ROW + GAP
    svg.set("height", str(top))
    return ElementTree.tostring(svg, encoding="unicode")


def _colours(methods: Iterable[Method]) -> dict[str, int]:
    """By kind: the kinds that take the largest shares have colours of their own."""
    shares: dict[str, float] = {}
    for method in methods:
        for kind in method.kinds():
            shares[kind.name] = shares.get(kind.name, 0.0) + kind.share
    ordered = sorted(shares, key=lambda name: -shares[name])
    return {name: min(place, OTHERS) for place, name in enumerate(ordered)}


def areas_of(method: Method, colours: dict[str, int]) -> Iterator[Area]:
    """A method's rectangles.

    Args:
        method: with operators.
        colours: by the name of a kind, of `COLOURS`.
    """
    whole = method.whole_us
    yield Area(0, 1, 0, method.name, f"{method.name}: {_took(whole, 1)}")
    left = 0.0
    for provider, kinds in _providers(method):
        us, share = sum(kind.us for kind in kinds), sum(kind.share for kind in kinds)
        yield Area(left, share, 1, short(provider), f"{provider}: {_took(us, share)}")
        for kind in kinds:
            detail = f"{kind.name}: {kind.calls} calls, {_took(kind.us, kind.share)}"
            yield Area(left, kind.share, 2, kind.name, detail, colours[kind.name])
            yield from _operators(method, kind, left, colours[kind.name])
            left += kind.share
    rest = method.rest_us / whole
    detail = f"in no operator (bindings, dispatch, copies): {_took(method.rest_us, rest)}"
    yield Area(left, rest, 1, "in no operator", detail)


def _providers(method: Method) -> list[tuple[str, list[Kind]]]:
    """The kinds by provider; the provider that takes longest first."""
    kinds: dict[str, list[Kind]] = {}
    for kind in method.kinds():
        kinds.setdefault(kind.provider, []).append(kind)
    return sorted(kinds.items(), key=lambda pair: -sum(kind.us for kind in pair[1]))


def _operators(method: Method, kind: Kind, left: float, colour: int) -> Iterator[Area]:
    wide = [one for one in kind.operators if one.share >= NARROW]
    for operator in wide:
        detail = f"{operator.name}: {_took(operator.us, operator.share)}"
        yield Area(left, operator.share, 3, _own_name(method, operator), detail, colour)
        left += operator.share
    narrow: Sequence[Operator] = kind.operators[len(wide) :]
    if narrow:
        us, share = sum(one.us for one in narrow), sum(one.share for one in narrow)
        label = f"{len(narrow)} more"
        yield Area(left, share, 3, label, f"{label} of {kind.name}: {_took(us, share)}", colour)


def _own_name(method: Method, operator: Operator) -> str:
    """What tells it from others of its kind: a number, or the name without the method's."""
    _, mark, number = operator.name.rpartition(" #")
    return f"#{number}" if mark else operator.name.removeprefix(f"{method.name}/")


def _took(us: float, share: float) -> str:
    return f"{us:,.2f} µs ({share:.1%})"


def _draw(svg: ElementTree.Element, area: Area, top: int) -> None:
    """A rectangle with its tooltip, and its letters in a picture of their own that cuts them."""
    place = {
        "x": f"{area.left:.3%}", "width": f"{area.width:.3%}",
        "y": str(top + area.row * ROW), "height": str(ROW - 1),
    }  # fmt: skip
    group = ElementTree.SubElement(svg, "g")
    ElementTree.SubElement(group, "title").text = area.detail
    lines = {"stroke": "currentColor", "stroke-opacity": "0.35", "stroke-width": "0.5"}
    fill = {"fill": "currentColor", "fill-opacity": "0.06"}
    if area.colour is not None:
        colour = f"fill: var(--flame-{area.colour}, {COLOURS[area.colour]})"
        fill = {"style": colour, "fill-opacity": "0.4"}
    ElementTree.SubElement(group, "rect", {**place, **lines, **fill})
    if area.width >= LABELLED:
        inner = ElementTree.SubElement(group, "svg", place)
        ElementTree.SubElement(inner, "text", {"x": "4", "y": "15"}).text = area.label
