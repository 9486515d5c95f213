"""A small writer of ONNX graphs: operators by name, every constant held once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

Array: TypeAlias = npt.NDArray[Any]
# What an operator takes: a value's name ("" is an input left out), or a constant.
Operand: TypeAlias = "str | int | float | Sequence[int] | Array"
Attribute: TypeAlias = "int | float | Sequence[int] | Sequence[float] | Sequence[str]"
Info: TypeAlias = onnx.ValueInfoProto
Branch: TypeAlias = "tuple[Graph, Sequence[str]]"

FEW_BYTES = 64  # of a number or a shape; weights are larger
END = np.iinfo(np.int64).max  # of a slice: as far as there is


class Graph:
    """An ONNX graph that is being written: the model's own, or a branch inside it.

    A branch sees the values of the graph around it. Weights live in the outermost graph, one of
    each content, so that branches share them; what is computed of weights alone belongs there too
    (`outermost`), since runtimes fold it when they load the file.

    Each value that a branch takes from outside costs time in every call (0.2 µs in ONNX Runtime).
    So each graph has the few numbers it computes with itself, and `sink` moves into a branch what
    no other uses.
    """

    def __init__(self, name: str, outer: Graph | None = None) -> None:
        self.name = name
        self.outermost: Graph = outer.outermost if outer else self
        self.nodes: list[onnx.NodeProto] = []
        self._made: dict[tuple[Any, ...], list[str]] = {}
        self._names: set[str] = self.outermost._names if outer else set()
        self._constants: dict[tuple[Any, ...], str] = {}
        self.initializers: dict[str, onnx.TensorProto] = {}
        self._users: defaultdict[str, list[Graph]] = (
            self.outermost._users if outer else defaultdict(list)
        )
        self._choices: list[tuple[onnx.NodeProto, Mapping[str, Branch], Sequence[Info]]] = []

    def op(self, kind: str, *inputs: Operand, **attributes: Attribute) -> str:
        """Add an operator of one output, and return that value's name."""
        return self.ops(kind, *inputs, outputs=1, **attributes)[0]

    def ops(
        self, kind: str, *inputs: Operand, outputs: int | Sequence[str], **attributes: Attribute
    ) -> list[str]:
        """Add an operator of so many outputs, or of outputs with these names.

        The same one again is not computed again.
        """
        names = [x if isinstance(x, str) else self.constant(x) for x in inputs]
        wishes = [f"{self.name}/{kind}"] * outputs if isinstance(outputs, int) else outputs
        key = (kind, *names, *wishes, repr(sorted(attributes.items())))
        if key not in self._made:
            results = [self._new_name(wish) for wish in wishes]
            self.nodes.append(
                helper.make_node(kind, names, results, results[0], None, None, None, **attributes)
            )
            self._made[key] = results
            for name in names:
                self._users[name].append(self)
        return self._made[key]

    def constant(self, value: Operand, name: str = "number") -> str:
        """A constant's name; `name` is what a new one is called.

        Floats become float32, whole numbers int64, as scalars or [n].
        """
        array = np.asarray(value)
        if not isinstance(value, np.ndarray):
            array = array.astype(np.float32 if array.dtype.kind == "f" else np.int64)
        if array.nbytes > FEW_BYTES and self.outermost is not self:
            return self.outermost.constant(array, name)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            unique = self._constants[key] = self._new_name(name)
            self.initializers[unique] = numpy_helper.from_array(array, unique)
        return self._constants[key]

    def branch(self, name: str) -> Graph:
        """A graph inside this one, for `choose`."""
        return Graph(name, self)

    def choose(
        self, condition: str, then: Branch, otherwise: Branch, outputs: Sequence[Info]
    ) -> list[str]:
        """What one of two branches gives, each a graph with the names of its results.

        Args:
            condition: the name of a bool [1].
            then: computed if it holds.
            otherwise: computed if not.
            outputs: types and shapes of the results, and their names, which the outermost graph
                takes as they are.
        """
        prefix = "" if self.outermost is self else f"{self.name}/"
        results = [self._new_name(prefix + output.name) for output in outputs]
        node = helper.make_node("If", [condition], results, results[0])
        self.nodes.append(node)
        self._users[condition].append(self)
        self._choices.append((node, {"then_branch": then, "else_branch": otherwise}, outputs))
        return results

    def finish(self) -> None:
        """Write the branches into the outermost graph; nothing can be added after it."""
        self._sink()
        self._write_branches()

    def _sink(self) -> None:
        """Move what only one branch uses into that branch."""
        for node in reversed(self.nodes):
            users = self._users_of(node.output)
            if len(users) == 1 and users[0] is not self:
                self.nodes.remove(node)
                users[0].nodes.insert(0, node)
                for name in node.input:
                    self._users[name].remove(self)
                    self._users[name].append(users[0])
        for name in list(self.initializers):
            users = self._users_of([name])
            if len(users) == 1 and users[0] is not self:
                users[0].initializers[name] = self.initializers.pop(name)

    def _users_of(self, names: Iterable[str]) -> list[Graph]:
        """The graphs that use any of these values."""
        return list({id(user): user for name in names for user in self._users[name]}.values())

    def _write_branches(self) -> None:
        for node, branches, outputs in self._choices:
            for name, (graph, values) in branches.items():
                graph._write_branches()
                node.attribute.append(helper.make_attribute(name, graph._proto(values, outputs)))

    def _proto(self, values: Sequence[str], outputs: Sequence[Info]) -> onnx.GraphProto:
        """This branch, giving these values, of the types that `outputs` have."""
        results = []
        for output, value in zip(outputs, values, strict=True):
            info = onnx.ValueInfoProto()
            info.CopyFrom(output)
            info.name = value
            results.append(info)
        constants = list(self.initializers.values())
        return helper.make_graph(self.nodes, self.name, [], results, constants)

    def _new_name(self, wish: str) -> str:
        """The name wished for, or with a number if it is taken."""
        name, number = wish, 1
        while name in self._names:
            number += 1
            name = f"{wish}_{number}"
        self._names.add(name)
        return name
