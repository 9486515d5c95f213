"""The words of a list: the same on every platform, in the order of Python's."""

import inspect
import re
from importlib import resources
from pathlib import Path

import pytest

from glint_edge.runtime.recommender import Recommender
from glint_edge.runtime.session import Session

PLATFORMS = Path(str(resources.files("glint_edge.apps"))) / "platforms"
KOTLIN = PLATFORMS / "android/module/recommender/src/main/kotlin/app/glintedge"
SWIFT = PLATFORMS / "ios/module/Sources/GlintEdge"
HEADER = PLATFORMS / "cpp/module/include/glint_edge/recommender.h"
WEB = PLATFORMS / "web/module/src/glint-edge"


def words_of(method):
    return [name for name in inspect.signature(method).parameters if name not in ("self", "key")]


def camel(word):
    return re.sub(r"_(\w)", lambda found: found[1].upper(), word)


@pytest.mark.parametrize("method", [Session.top, Recommender.recommend, Recommender.similar])
def test_kotlin_and_swift_take_pythons_words(method):
    name = method.__name__
    owner = "Session" if method is Session.top else "Recommender"
    expected = [camel(word) for word in words_of(method)]
    kotlin = re.search(
        rf"\n    fun {name}\((.*?)\n    \)", (KOTLIN / f"{owner}.kt").read_text(), re.S
    )
    (source,) = SWIFT.glob(f"{owner}.swift*")
    swift = re.search(rf"public func {name}\((.*?)\n  \)", source.read_text(), re.S)
    for found in (kotlin, swift):
        named = re.findall(r"(\w+): [\w\[]", found[1])
        assert [word for word in named if word in expected] == expected, found[1]


def test_the_words_of_cpp_are_pythons():
    (body,) = re.findall(r"struct Filters \{(.*?)\n\};", HEADER.read_text(), re.S)
    of_cpp = re.findall(r" (\w+) = \{\};", body)
    assert of_cpp == words_of(Recommender.similar)[1:]
    calls = re.findall(r" (?:top|recommend)\((.*?)\) const;", HEADER.read_text(), re.S)
    beside = [word for word in words_of(Session.top)[1:] if word not in of_cpp]
    assert [name.split("_")[-1] for name in beside] == ["seen", "neighbours"]
    assert len(calls) == 2
    for call in calls:
        assert re.findall(r"(\w+) = ", call) == ["k", "seen", "filters", "neighbours"]


def test_the_words_of_the_web_library_are_pythons():
    def members(file, interface):
        (body,) = re.findall(rf"interface {interface}[\w ]* \{{(.*?)\n\}}", file.read_text(), re.S)
        return re.findall(r"  readonly (\w+)\??:", body)

    filters = members(WEB / "filters.ts", "Filters")
    assert filters == [camel(word) for word in words_of(Recommender.similar)[1:]]
    beside = members(WEB / "session.ts", "TopOptions")
    expected = [camel(word) for word in words_of(Session.top)[1:]]
    assert sorted([*filters, *beside]) == sorted(expected)
