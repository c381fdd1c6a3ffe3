"""What the tabletop model remembers: keys and values of a sink frame and a rolling window."""
from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Context:
    """Immutable; ``append`` returns a new context of at most sink + window frames.

    keys, values: (blocks, T, heads, tokens, head_dim), keys without their rotation in time and
        space: a frame's position is its slot, and slots shift as the window rolls.
    newest: (2, C, h, w), the two newest clean latents, the newest first.
    """

    keys: torch.Tensor
    values: torch.Tensor
    newest: torch.Tensor | None = None

    @property
    def frames(self) -> int:
        return self.keys.shape[1]

    @property
    def nbytes(self) -> int:
        tensors = [self.keys, self.values] + ([] if self.newest is None else [self.newest])
        return sum(t.numel() * t.element_size() for t in tensors)

    def append(self, keys: torch.Tensor, values: torch.Tensor, newest: torch.Tensor, *,
               sink: int, window: int) -> Context:
        """Add frames and let those between the sink and the window's newest go."""
        keys, values = torch.cat([self.keys, keys], 1), torch.cat([self.values, values], 1)
        if keys.shape[1] > sink + window:
            keys, values = (torch.cat([t[:, :sink], t[:, -window:]], 1) for t in (keys, values))
        return Context(keys, values, newest)
