"""What a row came to: parity, accuracy, tolerances, and what got worse."""
