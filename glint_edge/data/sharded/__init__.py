"""Logs that are larger than memory: made into shards by users, and read a few at a time."""
