"""Files that are wrong in one place, as somebody else's or a failing disk's may be.

All draw from a numpy generator: the same seed gives the same file.
"""

import copy
import json
import pickletools

ODD = (
    None, True, 0, -1, 1.5, 2**31, 2**62, "", "x", "../x", 'a"b', "€" * 70, [], [[]], {}, {"x": 1},
    ["x", "x"],
)  # fmt: skip
# JSON that no value of Python's writes: what a parser gives up on, or should.
UNWRITTEN = (
    "1e400", "-1e999", "1" * 10_000, "NaN", "-Infinity", '"\\ud800"', '{"\\udcff": 1}',
    "[" * 100_000,
    "[" * 100_000 + "]" * 100_000, '{"a":' * 50_000 + "1" + "}" * 50_000, '{"a": 1, "a": 2}', "-0",
    "01", "'x'", '"\t"', "\ufeff1", "tru", "2147483648", "9223372036854775808", "1e308", "",
)  # fmt: skip


def one_of(values, rng):
    return values[rng.integers(len(values))]


# ---- bytes --------------------------------------------------------------------------------------


def _flip(data, at, rng):
    return data[:at] + bytes([data[at] ^ 1 << rng.integers(8)]) + data[at + 1 :]


def _number(data, at, rng):
    """What a length or an offset may become."""
    value = int(one_of((0, 1, 127, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1), rng))
    size = int(one_of((1, 2, 4, 8), rng))
    return data[:at] + (value % 256**size).to_bytes(size, "little") + data[at + size :]


BYTES = {
    "a bit": _flip,
    "a byte": lambda data, at, rng: data[:at] + rng.bytes(1) + data[at + 1 :],
    "a number": _number,
    "cut": lambda data, at, rng: data[:at],
    "its end alone": lambda data, at, rng: data[at:],
    "a hole": lambda data, at, rng: data[:at] + data[at + int(rng.integers(1, 64)) :],
    "zeros": lambda data, at, rng: data[:at] + bytes(int(rng.integers(1, 64))) + data[at:],
    "noise": lambda data, at, rng: data[:at] + rng.bytes(int(rng.integers(1, 64))) + data[at:],
    "twice": lambda data, at, rng: data[:at] + data[at // 2 : at] + data[at:],
    "a line end": lambda data, at, rng: data[:at] + one_of((b"\n", b"\r", b"\0"), rng) + data[at:],
    "many bits": lambda data, at, rng: _flip(
        _flip(data, at, rng), int(rng.integers(len(data))), rng
    ),
}
WAYS = tuple(BYTES.values())


def of_bytes(data, rng):
    """The same bytes, wrong in one place."""
    if not data:
        return rng.bytes(int(rng.integers(64)))
    # The first bytes more often: there stands how the rest is read.
    end = len(data) if rng.random() < 0.6 else min(len(data), 64)
    return one_of(WAYS, rng)(data, int(rng.integers(end)), rng)


# ---- documents ----------------------------------------------------------------------------------


def places(value, path=()):
    """The way to every value in a document."""
    yield path
    if isinstance(value, dict | list):
        for name, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(member, (*path, name))


def mutated(document, rng, count, odd=ODD):
    """So many documents, each with one value that is another, gone, twice or by another name."""
    every = [path for path in places(document) if path]
    for number in range(count):
        # The outermost more often: there are few of them.
        path = every[rng.integers(len(every))][: None if number % 3 else 1]
        changed = copy.deepcopy(document)
        outer = changed
        for name in path[:-1]:
            outer = outer[name]
        way = rng.integers(8)
        if way == 0:
            del outer[path[-1]]
        elif way == 1 and isinstance(outer, list):
            outer.append(outer[path[-1]])
        elif way == 2 and isinstance(outer, dict):
            outer["stranger"] = outer.pop(path[-1])
        else:
            outer[path[-1]] = odd[rng.integers(len(odd))]
        yield changed


HERE = "a place that is filled in"


def of_document(document, rng, seal=lambda document: document):
    """A document's bytes: another value, one that no writer makes, or a byte changed.

    Args:
        document: a whole one.
        rng: what is drawn from.
        seal: makes digests in it right again.
    """
    way = rng.integers(10)
    (changed,) = mutated(document, rng, 1, ODD if way < 6 else (HERE,))
    if way < 8:
        text = json.dumps(seal(changed))
        return text.replace(json.dumps(HERE), one_of(UNWRITTEN, rng)).encode()
    return of_bytes(json.dumps(document).encode(), rng)


# ---- logs ---------------------------------------------------------------------------------------

CELLS = (
    "", " ", " x ", "nan", "NaN", "NULL", "NA", "None", "-1", "0", "1e400", "1" * 5000, "1.0", "١",
    "2020-01-01", "2020-13-45", "9" * 18, "-9223372036854775809", '"', '"x', "x\ty", "x,y", "a::b",
    "\0", "\x1b[31m", "é", "\ufeff", "#", "user", "item", "True", "inf", "=1+1", "x" * 100_000,
)  # fmt: skip
ENDS = ("\n", "\r\n", "\r", "\n\n", "\u2028")


def of_table(header, rows, separator, rng):
    """A log's bytes: a cell, a row, a column, the header or the line ends are others."""
    lines = ([list(header)] if header else []) + [list(map(str, row)) for row in rows]
    end, encoding = "\n", "utf-8"
    for _ in range(int(rng.integers(1, 3))):
        row = lines[rng.integers(len(lines))] if rng.random() < 0.8 else lines[0]
        column = int(rng.integers(len(lines[-1])))
        way = rng.integers(10)
        if way < 4 and column < len(row):
            row[column] = one_of(CELLS, rng)
        elif way == 4:
            row.insert(column, one_of(CELLS, rng))
        elif way == 5 and column < len(row):
            del row[column]
        elif way == 6:
            lines.insert(int(rng.integers(len(lines))), list(one_of(lines, rng)))
        elif way == 7:
            cell = one_of(CELLS, rng)  # a whole column's
            for each in lines[1:]:
                if column < len(each):
                    each[column] = cell
        elif way == 8:
            end = one_of(ENDS, rng)
        else:
            encoding = one_of(("utf-8-sig", "utf-16", "cp1252", "utf-8"), rng)
    text = end.join(separator.join(row) for row in lines) + end
    return text.encode(encoding, errors="replace")


# ---- pickles ------------------------------------------------------------------------------------

OPCODES = tuple(opcode.code.encode("latin1") for opcode in pickletools.opcodes)
ARGUMENTS = (
    b"", b"\0", b"\x01", b"\xff", b"\xff\xff\xff\xff", b"\x04abcd", b"cos\nsystem\n", b"1\n",
    b"\x00\x00\x00\x80", b"\xff" * 8, b"os\nsystem\n", b"(tR", b"'a'\n",
)  # fmt: skip


def opcodes_of(pickle):
    """A pickle as its opcodes, each with its argument."""
    starts = [at for _, _, at in pickletools.genops(pickle)]
    return [pickle[a:b] for a, b in zip(starts, [*starts[1:], len(pickle)], strict=True)]


def of_pickle(parts, rng):
    """A pickle with an opcode gone, twice, moved, another, or with another argument."""
    parts = list(parts)
    for _ in range(int(rng.integers(1, 4))):
        at, other = (int(number) for number in rng.integers(len(parts), size=2))
        way = rng.integers(7)
        if way == 0:
            del parts[at]
        elif way == 1:
            parts.insert(at, parts[other])
        elif way == 2:
            parts[at], parts[other] = parts[other], parts[at]
        elif way == 3:
            parts[at] = one_of(OPCODES, rng) + parts[at][1:]
        elif way == 4:
            parts.insert(at, one_of(OPCODES, rng) + one_of(ARGUMENTS, rng))
        elif way == 5:
            parts[at] = parts[at][:1] + one_of(ARGUMENTS, rng)
        else:
            parts[at] = of_bytes(parts[at], rng)
    return b"".join(parts)
