"""GRU4Rec: Hidasi et al., ICLR 2016, as sequential benchmarks run it.

Dropout on the item embeddings, one GRU layer twice as wide without biases, a projection back to
their width, the tied table. Source: RecBole's `gru4rec.py`, whose first weights these are.
"""

from __future__ import annotations

from torch import Tensor, nn

from models.peers.base import Peer, PeerConfig


class GRU4Rec(Peer):
    """A gated recurrent unit over item embeddings."""

    def __init__(self, config: PeerConfig) -> None:
        super().__init__(config)
        self.gru = nn.GRU(
            config.d, 2 * config.d, num_layers=config.layers, bias=False, batch_first=True
        )
        self.out = nn.Linear(2 * config.d, config.d)
        self.start()
        for matrix in self.gru.parameters():  # 0.02 leaves a gate half open whatever comes
            nn.init.xavier_uniform_(matrix)

    def prefixes(self, items: Tensor, lengths: Tensor) -> Tensor:  # noqa: D102  # Peer's
        states, _ = self.gru(self.embedding_drop(self.embedding(items)))
        out: Tensor = self.out(states)
        return out
