"""The small module around a bundle that an app takes, for each platform."""
