"""What an export is asked for. It is refused before anything heavy is imported."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from converters.targets import find_target, targets
from glint_edge.bundles.manifest import MANIFEST, SUFFIX, require_name
from glint_edge.bundles.precisions import FINE_TUNED, precision_of
from glint_edge.bundles.target import Target, canonical_target
from glint_edge.config import WINDOWS, ModelConfig
from glint_edge.errors import ConfigError
from glint_edge.extras import require_extra
from glint_edge.model.state import CHUNK, top_k_of
from glint_edge.staging import Identity, identity
from glint_edge.suggestions import one_of

if TYPE_CHECKING:
    from glint_edge.model.glint_ru import GlintRU

ALL = "all"


@dataclass(frozen=True)
class ExportOptions:
    """What to export.

    Attributes:
        target: installed targets' names; among them "all" for every one that holds the precision.
        quantize: one of `glint_edge.bundles.precisions.flags`.
        top_k: items that `recommend` returns; None: 50, or as many as are on offer.
        out: the bundle's folder, ending in .glint.
        window: "sliding": a session is encoded again from its last items when it is longer than
            the model was trained for; "unbounded": its state keeps all.
        opset: of the ONNX file; None takes the converter's own.
        name: the bundle's; None takes the folder's.
        spare_items: rows kept free for items to come, which `glint-edge catalogue` fills without
            converting again; None: the catalogue is fixed.
        chunk: most items of one `append_many`.
        stood: what may be replaced at `out`; another that comes there meanwhile may not.
    """

    target: tuple[str, ...]
    quantize: str
    top_k: int | None
    out: Path
    window: str = "sliding"
    opset: int | None = None
    name: str | None = None
    spare_items: int | None = None
    chunk: int = CHUNK

    stood: Identity | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "stood", identity(self.out))
        precision_of(self.quantize)  # refuses what is none
        if self.window not in WINDOWS:
            raise ConfigError(
                f"--window {self.window!r} is unknown; {one_of(self.window, WINDOWS)}"
            )
        if self.spare_items is not None and self.spare_items < 0:
            raise ConfigError(f"--spare-items must be at least 0, not {self.spare_items}")
        if self.chunk < 1:
            raise ConfigError(f"--chunk must be at least 1, not {self.chunk}")
        if self.out.suffix != SUFFIX:
            raise ConfigError(f"a bundle's name ends in {SUFFIX}: --out {self.out}{SUFFIX}")
        require_name(self.bundle_name)

    def require_possible_for(self, config: ModelConfig) -> None:
        """Refuse what this model cannot be made into, before anything slow is done.

        Raises:
            ConfigError: the model has reference padding, and an option needs another.
        """
        if config.padding == "masked":
            return
        if self.window == "unbounded":
            raise ConfigError(
                f"an imported model gives its authors' scores for at most {config.max_length} "
                "items: --window sliding"
            )
        if self.fine_tuning:
            raise ConfigError(
                "an imported model cannot be trained here, so there is no int8-qat of it; "
                "choose --quantize int8"
            )

    def top_k_for(self, model: GlintRU) -> int:
        """Items that `recommend` of this model's artifacts returns."""
        return top_k_of(self.top_k, model.config.items - len(model.retired))

    @property
    def fine_tuning(self) -> bool:
        """Whether the model is trained with int8's rounding first."""
        return self.quantize.lower() == FINE_TUNED

    @property
    def bundle_name(self) -> str:
        """The bundle's, as the manifest and the files say it."""
        return self.name or self.out.stem

    @property
    def precision(self) -> str:
        """Of the artifacts."""
        return precision_of(self.quantize)

    def targets(self) -> list[Target]:
        """The chosen targets, each once; with "all", those that can hold the precision.

        Raises:
            ConfigError: a target is unknown, or cannot hold this precision.
            MissingExtraError: its toolchain is not installed.
        """
        able = [target.name for target in targets().values() if self.precision in target.precisions]
        typed = [canonical_target(name) for name in self.target]
        names = [*(able if ALL in typed else ()), *typed]
        chosen = [find_target(name) for name in dict.fromkeys(names) if name != ALL]
        for target in chosen:
            if self.precision not in target.precisions:
                raise ConfigError(
                    f"{target.name} has no {self.precision}, it has {_list(target.precisions)}; "
                    f"{self.precision} is to be had with --target {_list(able)}"
                )
        if self.fine_tuning:
            require_extra(("torchao",), "glint-edge[qat]", "quantization-aware training")
        if self.opset is not None and not any(target.name == "onnx" for target in chosen):
            raise ConfigError("--opset is about ONNX files; add --target onnx, or leave it out")
        return chosen


def refuse_to_overwrite(out: Path) -> None:
    """Only a bundle, or nothing, may stand where a bundle is written.

    Raises:
        ConfigError: something else stands there.
    """
    if out.exists() and not (out / MANIFEST).is_file():
        raise ConfigError(f"{out} exists and is no bundle; remove it or choose another --out")


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
