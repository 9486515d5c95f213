"""A stream program as a TFLite file."""
