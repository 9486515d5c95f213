"""The engine: GLINT-RU in plain C, and what makes a library of it; docs/engine.md has the design.

Looking at this package imports nothing and loads no library; `python -m glint_edge.engine` builds
it where no wheel brought it.
"""
