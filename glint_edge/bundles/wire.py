"""What the artifacts call their methods and tensors: the contract of those who write and call them.

A `.pte` has methods by name and tensors by place; these two have more to agree on.
"""

from __future__ import annotations

# A `.onnx` has one graph, whose input "method" says which method it computes.
ONNX_METHODS = {"append": 0, "append_many": 1, "recommend": 2, "similar": 3}
ONNX_TENSORS = (
    "method", "state", "items", "count", "bias", "new_state", "top_items", "top_scores",
)  # fmt: skip

# A `.tflite` has a signature a method.
TFLITE_INPUTS = {
    "append": ("state", "item"),
    "append_many": ("state", "items", "count"),
    "recommend": ("state", "bias"),
    "similar": ("item", "bias"),
}
TFLITE_OUTPUTS = {
    "append": ("new_state",),
    "append_many": ("new_state",),
    "recommend": ("top_items", "top_scores"),
    "similar": ("top_items", "top_scores"),
}
