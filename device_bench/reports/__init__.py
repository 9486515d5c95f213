"""Results for people: terminal, Markdown, one HTML page."""
