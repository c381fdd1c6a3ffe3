"""What the tabletop model remembers: keys and values of a sink frame and a rolling window."""
from __future__ import annotations

from dataclasses import dataclass

import torch

from dragstream_ros.core.world_model import Conditions
from dragstream_ros.world_models.tabletop.first_guess import FirstGuess
from dragstream_ros.world_models.tabletop.seen_picture import SeenPicture


@dataclass(frozen=True, eq=False)
class Context:
    """Immutable; ``append`` returns a new context of at most sink + window frames.

    keys, values: of every frame, (blocks, heads, tokens, head_dim), keys without their rotation in
        time and space: a frame's position is its slot, and slots shift as the window rolls.
    newest: (2, C, h, w), the two newest clean latents, the newest first.
    rested: (1, 1, h, w) int64, for how many frames each cell is as it was; None without any frame.
    seen: what predicted frames were last cut from; None where the newest frame is real.
    """

    keys: tuple[torch.Tensor, ...] = ()
    values: tuple[torch.Tensor, ...] = ()
    newest: torch.Tensor | None = None
    rested: torch.Tensor | None = None
    seen: SeenPicture | None = None

    @property
    def frames(self) -> int:
        return len(self.keys)

    @property
    def nbytes(self) -> int:
        tensors = [*self.keys, *self.values]
        tensors += [part for part in (self.newest, self.rested) if part is not None]
        return sum(t.numel() * t.element_size() for t in tensors)

    def append(self, keys: torch.Tensor, values: torch.Tensor, newest: torch.Tensor,
               rested: torch.Tensor, *, sink: int, window: int) -> Context:
        """Add frames, (blocks, F, heads, tokens, head_dim); the oldest but the sink's go."""
        held_keys, held_values = ((*held, *new.unbind(1)) for held, new in (
            (self.keys, keys), (self.values, values)))
        start = max(sink, len(held_keys) - window)
        return Context(held_keys[:sink] + held_keys[start:],
                       held_values[:sink] + held_values[start:], newest, rested, self.seen)


@dataclass(frozen=True, eq=False)
class TabletopConditions(Conditions):
    """first: what the guess is the latents of; None of a guess that was given.

    keys, values: (blocks, heads, T * tokens, head_dim), the context's, keys rotated.

    known: (1, F, 2C, h, w), the two newest latents for every frame; maps: (1, F, 6, h, w) or None.
    """

    first: FirstGuess | None
    keys: torch.Tensor
    values: torch.Tensor
    known: torch.Tensor
    maps: torch.Tensor | None
