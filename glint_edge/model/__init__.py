"""GLINT-RU: the float model, and the same function as a stream."""
