"""Child processes, native output, and several processes that train together."""
