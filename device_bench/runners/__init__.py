"""Where an artifact can be run: this machine, an emulator, a board, a phone."""
