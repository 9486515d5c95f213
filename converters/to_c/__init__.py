"""A stream program as a file of the engine (`glint_edge/engine`)."""
