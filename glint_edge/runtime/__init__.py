"""A bundle at work in a Python application, without torch.

    from glint_edge.runtime import Recommender

    recommender = Recommender.load("mine.glint")
    recommender.recommend(["50", "181"], k=5)

    session = recommender.start(["50", "181"])
    session.append("172")
    session.top(5)
    kept = session.save()  # bytes
    session = recommender.resume(kept)

It needs numpy, and nothing more for the engine's files; for others ONNX Runtime or LiteRT. It
never opens the network.
"""

from glint_edge.runtime.recommendation import Recommendation
from glint_edge.runtime.recommender import Recommender
from glint_edge.runtime.replay import replay_golden
from glint_edge.runtime.session import Session
from glint_edge.runtime.update import BundleStore

__all__ = ["BundleStore", "Recommendation", "Recommender", "Session", "replay_golden"]
