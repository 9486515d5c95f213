"""From a log to sequences, batches and shards."""
