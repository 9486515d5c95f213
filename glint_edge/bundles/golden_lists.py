"""Golden lists: what filters must give, and what is like an item.

The expected list comes from the scores of all items, sorted, which is not how a device does it: it
adds a bias and asks for the k best, again if need be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from glint_edge.model.state import NOTHING_LEFT

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from glint_edge.data.catalogue import Catalogue
    from glint_edge.data.neighbours import Neighbours
    from glint_edge.model.stream import StreamProgram

FEW, BEYOND, HISTORIES = 10, 3, 2  # items of a list; items beyond the artifact's k; with filters


@dataclass(frozen=True)
class GoldenList:
    """A list that was asked for with filters, and what it must hold.

    Attributes:
        k: items asked for; also more than the artifact gives at once.
        filter: in the words of `Session.top`, items by their keys; `exclude_seen` is false where it
            is not said.
        items: ids, best first; fewer than k where no more are left.
        scores: their scores, boosts among them.
        near: other items that the filter allows, with a score as near to one of the list's as the
            tolerance is: another machine's rounding may put them in.
        history: item ids, oldest first; None of what is like an item.
        item: the id of that item; None of a list after a history.
        neighbours: true: with the neighbours' expert; None: without it.
    """

    k: int
    filter: dict[str, Any]
    items: list[int]
    scores: list[float]
    near: dict[str, float] = field(default_factory=dict)
    history: list[int] | None = None
    item: int | None = None
    neighbours: bool | None = None

    def to_dict(self) -> dict[str, Any]:
        """As golden.json has it."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def failures(self, ids: Sequence[int], scores: Sequence[float], error: float) -> Iterator[str]:
        """What is wrong with a list, in words.

        Args:
            ids: its items, best first.
            scores: of each.
            error: most that a score may differ.
        """
        if len(ids) != len(self.items):
            yield f"it lists {len(ids)} items, not {len(self.items)}"
            return
        known = {**{int(item): score for item, score in self.near.items()},
                 **dict(zip(self.items, self.scores, strict=True))}  # fmt: skip
        swap = error if self.history != [] else 0.0  # without a history the order is exact
        for place, (item, score) in enumerate(zip(ids, scores, strict=True)):
            expected = self.scores[place]
            if not abs(score - expected) <= error:  # so that NaN is wrong
                yield (
                    f"the score in place {place + 1} is {score:.6g}, not {expected:.6g} "
                    f"(± {error:.2g})"
                )
            elif ids.index(item) != place:
                yield f"item {item} stands there twice"
            elif item != self.items[place] and not (
                item in known and abs(known[item] - expected) <= swap
            ):
                yield f"item {item} in place {place + 1} should be {self.items[place]}"
            else:
                continue
            return


def golden_lists(
    program: StreamProgram,
    catalogue: Catalogue,
    histories: Iterable[Sequence[int]],
    error: float,
    neighbours: Neighbours | None = None,
) -> tuple[GoldenList, ...]:
    """Lists with filters, after a few histories and after none; after the first with the expert.

    Args:
        program: at the precision of the artifacts.
        catalogue: the items' keys and fields.
        histories: item ids.
        error: most that a score of another machine may differ.
        neighbours: the expert; None: there is none.
    """
    import torch

    from glint_edge.model.stream import empty_state

    shelf = _Shelf(catalogue)
    N = program.config.max_length
    known = [[item for item in history if item][-N:] for history in histories]
    lists = []
    for number, history in enumerate([*[one for one in known if one][:HISTORIES], []]):
        with torch.inference_mode():
            state = empty_state(program.config)
            for item in history:
                state = program.append(state, torch.tensor([item]))
            scores = program.recommend.every(state)[0].numpy()
        for k, words in shelf.filters(history, scores, program.top_k, longest=number == 0):
            expected = shelf.list_of(scores, k, words, history, error if history else 0.0)
            lists.append(GoldenList(k, words, *expected, history=history))
        if neighbours is not None and number == 0 and history:
            scores = scores + neighbours.bias(history, len(scores))[0]
            allowed = error + neighbours.error
            for k, words in shelf.filters(history, scores, program.top_k, longest=True):
                expected = shelf.list_of(scores, k, words, history, allowed)
                lists.append(GoldenList(k, words, *expected, history=history, neighbours=True))
    return tuple(lists)


def golden_similar(
    program: StreamProgram, catalogue: Catalogue, error: float
) -> tuple[GoldenList, ...]:
    """What is like the first and the middle item of a catalogue, also with a filter."""
    import torch

    shelf, lists = _Shelf(catalogue), []
    on_offer = [number for number in range(1, len(shelf.keys)) if number not in shelf.retired]
    for item in dict.fromkeys((on_offer[0], on_offer[len(on_offer) // 2])):
        with torch.inference_mode():
            cosines = program.similar.every(torch.tensor([item]))
            scores = torch.nn.functional.pad(cosines, (1, 0))[0].numpy()
        best, _, _ = shelf.list_of(scores, 3, {}, [item], 0.0)
        for words in ({}, {"without": [shelf.keys[one] for one in best[:2]]}):
            expected = shelf.list_of(scores, FEW, {**words, "exclude_seen": True}, [item], error)
            lists.append(GoldenList(FEW, words, *expected, item=item))
    return tuple(lists)


class _Shelf:
    """A catalogue as filters see it."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.keys, self.fields = catalogue.keys, catalogue.fields
        self.ids = {key: number for number, key in enumerate(catalogue.keys)}
        self.retired = frozenset(catalogue.retired_ids())

    def filters(
        self, history: Sequence[int], scores: npt.NDArray[np.float32], top_k: int, *, longest: bool
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """How many items, and a filter; each kind of filter once."""
        best, values, _ = self.list_of(scores, FEW, {}, [], 0.0)
        keys = [self.keys[item] for item in best]
        if not history:
            yield 5, {"without": keys[:4:2]}
        else:
            yield FEW, {"exclude_seen": True}
            boost = round(0.1 * max(map(abs, values)), 3)
            yield FEW, {"without": keys[:3], "boost": {keys[-1]: boost}}
            yield FEW, {"among": list(self.keys[1 :: max(1, len(self.keys) // 12)])}
        if longest:
            yield top_k + BEYOND, {"exclude_seen": True}
        for name, of in [(name, of) for name, of in self.fields.items() if of][:1]:
            common = Counter(of.values()).most_common(1)[0][0]
            yield FEW, {"where": {name: [common]}}
            if history:
                yield 5, {"exclude_seen": True, "most_per": {name: 1}}

    def list_of(
        self,
        scores: npt.NDArray[np.float32],
        k: int,
        words: Mapping[str, Any],
        seen: Sequence[int],
        error: float,
    ) -> tuple[list[int], list[float], dict[str, float]]:
        """The list after these scores [rows]: items, their scores, and what comes near."""
        import numpy as np

        scores = scores[: len(self.keys)].copy()
        for key, push in words.get("boost", {}).items():
            scores[self.ids[key]] += np.float32(push)
        allowed = np.flatnonzero(self._allowed(scores, words, seen))
        order = allowed[np.argsort(-scores[allowed], kind="stable")]
        taken: list[int] = []
        values: Counter[tuple[str, str]] = Counter()
        for number in order.tolist():
            if len(taken) == k:
                break
            mine = [
                (name, of) for name in words.get("most_per", ())
                if (of := self.fields[name].get(self.keys[number])) is not None
            ]  # fmt: skip
            if all(values[one] < words["most_per"][one[0]] for one in mine):
                taken.append(number)
                values.update(mine)
        of_taken = scores[taken]
        # The others that score no less than the last, but for the tolerance.
        others = np.setdiff1d(order[scores[order] >= of_taken.min(initial=np.inf) - error], taken)
        near = {
            str(number): float(scores[number]) for number in others.tolist()
            if error and (np.abs(of_taken - scores[number]) <= error).any()
        }  # fmt: skip
        return taken, of_taken.tolist(), near

    def _allowed(
        self, scores: npt.NDArray[np.float32], words: Mapping[str, Any], seen: Sequence[int]
    ) -> npt.NDArray[np.bool_]:
        """Whether each item may stand in the list: bool [V + 1]."""
        import numpy as np

        def only(numbers: Iterable[int]) -> npt.NDArray[np.bool_]:
            mask = np.zeros(len(self.keys), dtype=bool)
            mask[list(numbers)] = True
            return mask

        mask = (scores > NOTHING_LEFT) & ~only([0])
        if words.get("exclude_seen"):
            mask &= ~only(seen)
        mask &= ~only(self.ids[key] for key in words.get("without", ()))
        if "among" in words:
            mask &= only(self.ids[key] for key in words["among"])
        for name, of in words.get("where", {}).items():
            mask &= only(self.ids[key] for key, value in self.fields[name].items() if value in of)
        return mask
