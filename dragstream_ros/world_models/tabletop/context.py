"""What the tabletop model remembers: keys and values of a sink frame and a rolling window."""
from __future__ import annotations

from dataclasses import dataclass

import torch

from dragstream_ros.core.world_model import Conditions


@dataclass(frozen=True, eq=False)
class Context:
    """Immutable; ``append`` returns a new context of at most sink + window frames.

    keys, values: of every frame, (blocks, heads, tokens, head_dim), keys without their rotation in
        time and space: a frame's position is its slot, and slots shift as the window rolls.
    newest: (2, C, h, w), the two newest clean latents, the newest first.
    """

    keys: tuple[torch.Tensor, ...] = ()
    values: tuple[torch.Tensor, ...] = ()
    newest: torch.Tensor | None = None

    @property
    def frames(self) -> int:
        return len(self.keys)

    @property
    def nbytes(self) -> int:
        tensors = [*self.keys, *self.values] + ([] if self.newest is None else [self.newest])
        return sum(t.numel() * t.element_size() for t in tensors)

    def append(self, keys: torch.Tensor, values: torch.Tensor, newest: torch.Tensor, *,
               sink: int, window: int) -> Context:
        """Add frames, (blocks, F, heads, tokens, head_dim); the oldest but the sink's go."""
        held_keys, held_values = ((*held, *new.unbind(1)) for held, new in (
            (self.keys, keys), (self.values, values)))
        start = max(sink, len(held_keys) - window)
        return Context(held_keys[:sink] + held_keys[start:],
                       held_values[:sink] + held_values[start:], newest)


@dataclass(frozen=True, eq=False)
class TabletopConditions(Conditions):
    """carried: (F, 3, H, W) in 0..1, the pictures that the guess is of; None of a given guess.

    held: (F, 1, h, w) in 0..1, the share of a cell that a drag holds or freezes; None without one.

    keys, values: (blocks, heads, T * tokens, head_dim), the context's, keys rotated.

    known: (1, F, 2C, h, w), the two newest latents for every frame; maps: (1, F, 6, h, w) or None.
    """

    carried: torch.Tensor | None
    held: torch.Tensor | None
    keys: torch.Tensor
    values: torch.Tensor
    known: torch.Tensor
    maps: torch.Tensor | None
