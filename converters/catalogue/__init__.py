"""A bundle for another catalogue, converted again or not."""
