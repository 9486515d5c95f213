"""The bundle: a folder of artifacts, with what an app must know of them."""
