"""`features.safetensors` of a checkpoint: a vector of each value of each field, for items to come.

The model needs none of it: its table has all folded in. An item that nobody has tapped gets the
mean of its values' vectors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import safetensors

from glint_edge.data.features import Values, numbers_of
from glint_edge.errors import CheckpointError
from glint_edge.json_files import Fault, Schema, parse

if TYPE_CHECKING:
    from torch import Tensor

ROWS = "rows"
SCHEMA = Schema(Path(__file__).with_name("features.schema.json"))


@dataclass(frozen=True, eq=False)
class FieldVectors:
    """What training learned of fields' values.

    Attributes:
        pairs: (field, value), by row.
        rows: float32 [F, d].
        separator: what stands between several values of a field in a table.
    """

    pairs: tuple[tuple[str, str], ...]
    rows: Tensor
    separator: str | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(dict.fromkeys(field for field, _ in self.pairs))

    def of_items(self, keys: list[str], values: Values) -> dict[str, Tensor]:
        """The mean of each item's known values: [d] by key; none of an item without."""
        number: Mapping[tuple[str, str], int] = {pair: at for at, pair in enumerate(self.pairs)}
        known = {key: numbers_of(key, values, number) for key in keys}
        return {key: self.rows[numbers].mean(dim=0) for key, numbers in known.items() if numbers}

    def to_bytes(self) -> bytes:
        """As the file holds it."""
        from safetensors.torch import save

        about = {"pairs": json.dumps(self.pairs), "separator": json.dumps(self.separator)}
        return save({ROWS: self.rows.detach().contiguous()}, about)


def read_vectors(path: Path, d: int) -> FieldVectors:
    """Inverse of `to_bytes`.

    Args:
        path: of the file.
        d: the model's width.

    Raises:
        CheckpointError: it is damaged, or another model's.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            about = {name: parse(text.encode()) for name, text in metadata.items()}
            SCHEMA.check(about)
            pairs = tuple((field, value) for field, value in about["pairs"])
            if list(file.keys()) != [ROWS] or file.get_slice(ROWS).get_shape() != [len(pairs), d]:
                raise Fault("does not hold a row a value")
            rows = file.get_tensor(ROWS)
    except (safetensors.SafetensorError, Fault) as error:
        raise CheckpointError(f"{path} is damaged ({error}); train again") from error
    if not rows.is_floating_point() or not rows.isfinite().all():
        raise CheckpointError(f"{path} holds numbers that are not finite; train again")
    return FieldVectors(pairs, rows.float(), about["separator"])
