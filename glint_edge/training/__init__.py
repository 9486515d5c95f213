"""From sequences to a checkpoint: losses, the run's folder, the search for settings."""
