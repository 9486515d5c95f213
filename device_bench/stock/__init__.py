"""What one would export without this tool, to be compared with."""
