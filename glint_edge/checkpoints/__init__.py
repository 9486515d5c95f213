"""Checkpoint folders: written, read, imported, changed, shared."""
