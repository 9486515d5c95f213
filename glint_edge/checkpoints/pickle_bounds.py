"""How much work a pickle asks for, known before it is done.

A pickle may name one value again and again: fifty tuples, each of the one before twice, are two
hundred bytes, and hashing the last takes 2⁵⁰ steps. So the opcodes are followed here first, with
the size of each value in place of the value, as large as it is written out in full.
"""

from __future__ import annotations

import pickletools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

MOST_DEEP = 100  # values in one another
MOST_PARTS = 1 << 26  # of one value, written out in full
WORK_A_BYTE, FREE_WORK = 16, 1_000_000  # parts that are hashed, copied or passed to a call
PART = 8  # characters or bytes of a text that count as one
# Larger numbers may be chosen to have the same hash.
LARGE, LARGE_WORK, MOST_BITS = 1 << 60, 1_000, 1 << 12

PUT = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
GET = frozenset({"GET", "BINGET", "LONG_BINGET"})
EMPTY = frozenset({"EMPTY_LIST", "EMPTY_TUPLE", "EMPTY_DICT", "EMPTY_SET"})
# They change the value that lies below what they take.
GROW = frozenset({"APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD"})
HASH_EACH_KEY = frozenset({"SETITEM", "SETITEMS", "DICT"})
HASH_OR_CALL = frozenset(
    {"ADDITEMS", "FROZENSET", "REDUCE", "BUILD", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX"}
)


@dataclass(slots=True)
class _Size:
    """Of a value: its parts, itself among them, and how deep they lie."""

    parts: int = 1
    depth: int = 0

    def grow(self, taken: Sequence[_Size]) -> None:
        self.parts += sum(size.parts for size in taken)
        self.depth = max(self.depth, 1 + max((size.depth for size in taken), default=-1))
        require(self.depth <= MOST_DEEP, "its values are nested too deep")
        require(self.parts <= MOST_PARTS, "its values hold one another too often")


ONE = _Size()  # any constant that is short


def require_bounded(file: BinaryIO) -> None:
    """Refuse a pickle that asks for far more work or memory than its own size; reads it.

    Raises:
        ValueError: it does, or is damaged.
    """
    start, work = file.tell(), 0
    stack: list[_Size | None] = []  # None is a mark
    memo: dict[int, _Size | None] = {}
    for number, (opcode, argument, at) in enumerate(pickletools.genops(file)):
        name = opcode.name
        if name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in PUT:
            # The unpickler allocates what a damaged number asks for: a memo of 32 GB, say.
            require(int(argument or 0) <= number, "it counts wrongly")
            memo[int(argument or 0)] = stack[-1]
        elif name in GET:
            stack.append(memo[int(argument or 0)])
        elif name == "MARK":
            stack.append(None)
        elif name == "DUP":
            stack.append(stack[-1])
        elif name == "POP":
            stack.pop()
        elif not opcode.stack_before and name not in EMPTY:
            stack += [_constant(argument)] * len(opcode.stack_after)
            work += LARGE_WORK if isinstance(argument, int) and abs(argument) > LARGE else 0
        else:
            taken = _take(stack, opcode)
            size = taken.pop(0) if name in GROW else _Size()
            size.grow(taken)
            if opcode.stack_after:
                stack.append(size)
            work += _work(name, taken)
            most = FREE_WORK + WORK_A_BYTE * ((at or 0) - start)
            require(work <= most, "it repeats itself too often")


def _constant(argument: object) -> _Size:
    if isinstance(argument, str | bytes | bytearray) and len(argument) >= PART:
        return _Size(1 + len(argument) // PART)
    if isinstance(argument, int):
        require(argument.bit_length() <= MOST_BITS, "it holds a number of too many digits")
    return ONE


def _take(stack: list[_Size | None], opcode: pickletools.OpcodeInfo) -> list[_Size]:
    """What an opcode takes off the stack, in order; with a mark, all that lies above it."""
    below = _below_mark(opcode)
    if below is None:
        first = len(stack) - len(opcode.stack_before)
    else:
        marks = (at for at in range(len(stack) - 1, -1, -1) if stack[at] is None)
        first = next(marks, -1) - below
    require(first >= 0, "it takes what is not there")
    taken = [size for size in stack[first:] if size is not None]
    del stack[first:]
    return taken


def _below_mark(opcode: pickletools.OpcodeInfo) -> int | None:
    """How many values an opcode takes from below the last mark; None: it takes no mark."""
    if pickletools.markobject not in opcode.stack_before:
        return None
    return opcode.stack_before.index(pickletools.markobject)


def _work(name: str, taken: Sequence[_Size]) -> int:
    """How many parts an opcode hashes, copies or passes to a call."""
    if name in HASH_EACH_KEY:
        taken = taken[::2]
    elif name not in HASH_OR_CALL:
        return 0
    return sum(size.parts for size in taken)


def require(holds: bool, otherwise: str) -> None:
    """Refuse what cannot be, as damage.

    Raises:
        ValueError: it does not hold.
    """
    if not holds:
        raise ValueError(otherwise)
