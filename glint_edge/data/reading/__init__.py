"""Reading a log: its format, columns and rows, what is wrong with it, and the titles beside it."""
