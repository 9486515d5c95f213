"""A stream program as an ExecuTorch file."""
