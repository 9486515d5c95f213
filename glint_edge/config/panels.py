"""The headings under which people meet the levers."""

# In this order.
PANELS = ("Model", "Steps", "Loss", "Against overfitting", "Beside the model")
MODEL, STEPS, LOSS, OVERFITTING, NEIGHBOURS = PANELS
