"""From the rows of a log to sequences: their order, their numbers, and which are held out."""
