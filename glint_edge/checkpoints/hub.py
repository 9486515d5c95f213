"""Checkpoints on the Hugging Face Hub, by the conventions of its library's model mixin.

A saved folder is a checkpoint folder, config.json and model.safetensors as the Hub expects them,
with a model card. Nothing here but `push` and `fetch` (and the mixin's methods that say so) uses
the network; who you are is the library's affair (`hf auth login`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from glint_edge.checkpoints.checkpoint import FILES, Checkpoint, load_checkpoint
from glint_edge.checkpoints.checkpoint import save_checkpoint as save
from glint_edge.data.named import NAMED
from glint_edge.errors import HubError, MissingExtraError

EXTRA = "glint-edge[hub]"
try:
    from huggingface_hub import ModelCard, ModelHubMixin, snapshot_download
    from huggingface_hub import errors as hub_errors
except ImportError as error:
    raise MissingExtraError(EXTRA, "the Hugging Face Hub") from error

SCHEME = "hf://"

# What says that the Hub, and not this machine's disk, is why something failed.
REFUSALS: tuple[type[Exception], ...] = (
    hub_errors.HTTPError,  # type: ignore[attr-defined]  # of the HTTP library it uses
    hub_errors.HFValidationError, hub_errors.LocalEntryNotFoundError,
    hub_errors.LocalTokenNotFoundError, hub_errors.FileMetadataError,
    hub_errors.RevisionResolutionError, hub_errors.XetDownloadError, ConnectionError,
)  # fmt: skip

CARD = """---
{{ card_data }}
---

# GLINT-RU, {{ data }}

A sequential recommender ([GLINT-RU]({{ paper_url }})) of {{ items }} items, width {{ d }}, for
histories of up to {{ max_length }} items. {{ attribution }}

{{ figures }}

With glint-edge:

    pip install 'glint-edge[hub,executorch]'
    glint-edge pull OWNER/NAME --out model
    glint-edge export model --target executorch --quantize int8

`items.json` holds the items' keys by id.
"""


class HubCheckpoint(
    ModelHubMixin,
    library_name="glint-edge",
    tags=["recommendation", "sequential-recommendation", "on-device"],
    paper_url="https://arxiv.org/abs/2406.10244",
    model_card_template=CARD,
):
    """A checkpoint with `save_pretrained`, `from_pretrained` and `push_to_hub`.

    Attributes:
        checkpoint: as `load_checkpoint` gives it.
    """

    # Ours is written with the weights; the mixin would make one of the constructor's arguments.
    _hub_mixin_config: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]  # an instance's there

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint

    def _save_pretrained(self, save_directory: Path) -> None:
        save(_shareable(self.checkpoint), save_directory)

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **options: Any) -> HubCheckpoint:  # noqa: ANN401  # the mixin's
        folder = model_id if Path(model_id).is_dir() else _download(model_id, **options)
        return cls(load_checkpoint(folder))

    def generate_model_card(self, *args: Any, **kwargs: Any) -> ModelCard:  # noqa: ANN401  # the mixin's
        """The README.md of the repository, which names the data and its figures."""
        config, data = self.checkpoint.model.config, self.checkpoint.data
        facts = {
            "data": data.name,
            "attribution": data.attribution,
            "items": f"{config.items:,}",
            "d": config.d,
            "max_length": config.max_length,
            "figures": "\n\n".join(
                f"{part.replace('_', ' ')}: "
                + ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
                for part, figures in self.checkpoint.metrics.items()
            ),
        }
        return super().generate_model_card(*args, **{**facts, **kwargs})


def push(checkpoint: Checkpoint, repository: str, *, private: bool = True) -> str:
    """Upload a checkpoint, its items' keys included; makes the repository if there is none.

    Args:
        checkpoint: what to upload. The path of a log that it was trained on stays here.
        repository: "owner/name".
        private: of a new repository; one that exists stays as it is.

    Returns:
        The commit's address.

    Raises:
        HubError: the Hub refuses, or is out of reach.
    """
    with _one_line(f"{repository} was not pushed"):
        return str(HubCheckpoint(checkpoint).push_to_hub(repository, private=private))


def fetch(repository: str) -> Path:
    """Download a checkpoint into the library's cache, if it is not there.

    Args:
        repository: "owner/name" or "owner/name@revision", with or without "hf://" before it.

    Returns:
        Its folder, for `load_checkpoint`.

    Raises:
        HubError: there is none, the Hub refuses, or is out of reach.
    """
    name, _, revision = repository.removeprefix(SCHEME).partition("@")
    with _one_line(f"{name} was not fetched"):
        return Path(_download(name, revision=revision or None))


def _download(repository: str, **options: Any) -> str:  # noqa: ANN401  # the library's
    return str(snapshot_download(repository, allow_patterns=list(FILES), **options))


def _shareable(checkpoint: Checkpoint) -> Checkpoint:
    """Without the places of the user's files: of this machine, and nobody else's affair."""
    data = checkpoint.data
    beside = {n: Path(data.options[n]).name for n in ("validation", "test") if data.options.get(n)}
    source, notes = (data.source, data.notes) if data.source in NAMED else ("", ())
    shared = replace(data, source=source, notes=notes, options={**data.options, **beside})
    return replace(checkpoint, data=shared)


@contextmanager
def _one_line(what: str) -> Iterator[None]:
    try:
        yield
    except REFUSALS as error:
        said = str(error).strip().splitlines()
        raise HubError(
            f"{what} ({said[0].strip() if said else type(error).__name__}); check OWNER/NAME, the "
            "network, and who you are: hf auth login"
        ) from error
