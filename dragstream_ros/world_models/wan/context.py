"""What a causal Wan model remembers: one page of keys and values per latent frame."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch


@dataclass(frozen=True, eq=False)
class Page:
    """One latent frame, as attention reads it; never changed once written.

    keys, values: (blocks, heads, tokens, head_dim), keys without their rotation: a frame's position
    is its place among the pages, which shifts as the window rolls.
    """

    keys: torch.Tensor
    values: torch.Tensor

    @property
    def nbytes(self) -> int:
        return self.keys.nbytes + self.values.nbytes


@dataclass(frozen=True, eq=False)
class WanContext:
    """Immutable, so a branch is another tuple of the same pages and nothing is ever copied.

    pages: the sink's, then the newest of the window, oldest first.
    encoder, decoder: where the streaming autoencoder stands, opaque; None before the first frame.
    """

    pages: tuple[Page, ...] = ()
    encoder: Any = None
    decoder: Any = None

    @property
    def nbytes(self) -> int:
        parts = [*self.pages, self.encoder, self.decoder]
        return sum(part.nbytes for part in parts if part is not None)

    def append(self, pages: Sequence[Page], *, sink: int, most: int) -> WanContext:
        """Remember these frames too, ``most`` in all; the oldest but the sink's go."""
        held = (*self.pages, *pages)
        start = max(sink, len(held) - (most - sink))
        return replace(self, pages=held[:sink] + held[start:])
