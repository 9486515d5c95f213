"""Every kind of input, in one list."""

from tests.campaign import bundles, checkpoints, logs, sessions, texts

TARGETS = (
    *bundles.TARGETS, *checkpoints.TARGETS, *texts.TARGETS, *sessions.TARGETS, *logs.TARGETS,
)  # fmt: skip
