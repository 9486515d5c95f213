"""`model.onnx` → `model.ort`, the form that ONNX Runtime's minimal builds load.

Beside it, the operators, and the types of each, that such a build has to have: what ONNX Runtime's
`build.py --minimal_build --include_ops_by_config` takes.

A minimal build optimizes nothing when it loads a file, so that is done here. Weights are stored as
the operators want them: the GRU's multiplied out to float32, the table in both directions.
"""

from __future__ import annotations

import logging
from pathlib import Path

import onnxruntime

# The tool gives the root logger a handler when it is imported; logging is our callers' affair.
_handlers = logging.root.handlers[:]
from onnxruntime.tools.ort_format_model import create_config_from_models  # noqa: E402  # see above

logging.root.handlers[:] = _handlers
logging.getLogger("ort_format_model.utils").setLevel(logging.WARNING)

ERRORS_ONLY = 3  # of ONNX Runtime's own log
# What turns stored weights into other ones. The second fails where the first did not run.
FOLDING = ["ConstantFolding", "FuseFp16InitializerToFp32NodeTransformer"]


def write_ort(path: Path, *, fold: bool) -> None:
    """Write `.ort` and `.required_operators.config` next to a `.onnx`, with its stem.

    Args:
        path: the `.onnx`.
        fold: compute what depends on weights alone now, and not in every call.
    """
    ort, operators = path.with_suffix(".ort"), path.with_suffix(".required_operators.config")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    options.optimized_model_filepath = str(ort)
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(
        path,
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=[] if fold else FOLDING,
    )
    create_config_from_models([ort], operators, enable_type_reduction=True)
    # Its comments name this machine's folders.
    lines = operators.read_text().splitlines(keepends=True)
    operators.write_text("".join(line for line in lines if not line.startswith("#")), "utf-8")
