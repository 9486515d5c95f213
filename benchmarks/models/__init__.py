"""What `accuracy.py` and `compare_models.py` are made of: contenders, search, runs and tables."""
