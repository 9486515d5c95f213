"""How well a model ranks held-out items, beside baselines and by slice."""
