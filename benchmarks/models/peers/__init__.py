"""Other sequential recommenders in plain torch, as `glint_edge.model.protocols.Encoder` asks for.

An RNN, two Transformers, an MLP and two state spaces, a module each. All see a history from its
left alone, so that position n of one pass over a sequence is what the prefix of n + 1 items gives;
all are scored by the item table that they read. They are trained by the same loader, loss and
recipe as GLINT-RU.
"""

from __future__ import annotations

from collections.abc import Mapping

from models.peers.base import Peer, PeerConfig
from models.peers.bsarec import BSARec
from models.peers.fmlp_rec import FMLPRec
from models.peers.gru4rec import GRU4Rec
from models.peers.lrurec import LRURec
from models.peers.mamba4rec import Mamba4Rec
from models.peers.sasrec import SASRec

__all__ = ["PEERS", "Peer", "PeerConfig"]

PEERS: Mapping[str, type[Peer]] = {
    "gru4rec": GRU4Rec, "sasrec": SASRec, "bsarec": BSARec, "fmlp_rec": FMLPRec,
    "mamba4rec": Mamba4Rec, "lrurec": LRURec,
}  # fmt: skip
