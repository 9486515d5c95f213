"""`python -m glint_edge`: the same command line."""

from glint_edge.cli import main

main()
