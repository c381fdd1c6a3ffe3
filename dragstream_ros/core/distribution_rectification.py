"""Keeping a latent statistically plausible while it is pushed around (spec 1.5.4).

Gradient steps on a latent move its mean and spread away from what the world model was trained on,
and the error grows from chunk to chunk. After every step the mean and the standard deviation are
therefore put back to those of a reference: the same latent before the optimisation, as in the
authors' code, or the chunks before it, as in the paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

EPSILON = 1e-6

# What is reduced of a latent (frames, channels, h, w).
PER_FRAME_AND_CHANNEL = (-2, -1)
PER_CHANNEL = (-4, -2, -1)
GLOBAL = (-4, -3, -2, -1)


@dataclass(frozen=True, kw_only=True)
class DistributionRectificationConfig:
    """What is rectified, and by what.

    in_loop: after every iteration, per frame and channel: 'own' matches the noisy latent before the
        optimisation (code), 'neighbours' the previous chunks at the same noise level (paper;
        'own' while there are none), 'off' nothing.
    after_loop: after the last iteration, one mean and deviation over all, always to 'own' (code).
    x0: in every denoise step of every chunk, dragged or not, the estimate of the clean chunk is
        matched to {previous chunks, itself}, one mean and deviation over all (code).
    neighbour_chunks: how many previous chunks count, for 'neighbours' and for x0.
    """

    in_loop: Literal['own', 'neighbours', 'off'] = 'own'
    after_loop: bool = True
    x0: bool = True
    neighbour_chunks: int = 2


@dataclass(frozen=True)
class Moments:
    """Mean and unbiased standard deviation, in shapes that broadcast against the latent."""

    mean: torch.Tensor
    std: torch.Tensor

    @classmethod
    def of(cls, x: torch.Tensor, dims: Sequence[int]) -> Moments:
        """Reduce over dims, which must hold two numbers or more."""
        return cls(x.mean(tuple(dims), keepdim=True), x.std(tuple(dims), keepdim=True))

    def noised(self, sigma: float) -> Moments:
        """The moments of (1 - sigma) x + sigma noise, without drawing the noise."""
        clean = 1.0 - sigma
        return Moments(clean * self.mean, ((clean * self.std) ** 2 + sigma**2).sqrt())


def match_moments(x: torch.Tensor, target: Moments, dims: Sequence[int]) -> torch.Tensor:
    """Shift and scale x so that its moments over dims become the target's."""
    own = Moments.of(x, dims)
    return (x - own.mean) / (own.std + EPSILON) * target.std + target.mean


def match_mean_std(x: torch.Tensor, reference: torch.Tensor, dims: Sequence[int]) -> torch.Tensor:
    """Give x the mean and the standard deviation of the reference, both taken over dims."""
    return match_moments(x, Moments.of(reference, dims), dims)


def neighbour_latents(
    recent: Sequence[torch.Tensor], *, next_index: int, n_chunks: int
) -> torch.Tensor | None:
    """The frames of up to n_chunks chunks before chunk next_index, or None if there are none.

    recent: the newest clean chunks (F, C, h, w), oldest first; the last is chunk next_index - 1.
    Chunk 0 never counts: it was made without a past, and its statistics are unlike the others'.
    So chunks 0 and 1 have no neighbours.
    """
    usable = min(n_chunks, next_index - 1, len(recent))
    return torch.cat(list(recent[-usable:])) if usable > 0 else None


def rectify_x0(x0: torch.Tensor, neighbours: torch.Tensor | None) -> torch.Tensor:
    """Match the estimate of a clean chunk (F, C, h, w) to {neighbours, itself} as a whole."""
    if neighbours is None:
        return x0
    return match_mean_std(x0, torch.cat([neighbours, x0]), GLOBAL)


class DistributionRectifier:
    """Rectifies one noisy chunk while it is optimised.

    before: (F, C, h, w) the noisy chunk as it was, at noise level sigma.
    neighbours: (N, C, h, w) clean frames of the chunks before it (neighbour_latents).
    """

    def __init__(
        self,
        config: DistributionRectificationConfig,
        before: torch.Tensor,
        *,
        sigma: float,
        neighbours: torch.Tensor | None = None,
    ) -> None:
        self._config = config
        self._whole = Moments.of(before, GLOBAL)
        if config.in_loop == 'neighbours' and neighbours is not None:
            self._in_loop = Moments.of(neighbours, PER_CHANNEL).noised(sigma)
        else:
            self._in_loop = Moments.of(before, PER_FRAME_AND_CHANNEL)

    def in_loop(self, z: torch.Tensor) -> torch.Tensor:
        """After every iteration."""
        if self._config.in_loop == 'off':
            return z
        return match_moments(z, self._in_loop, PER_FRAME_AND_CHANNEL)

    def after_loop(self, z: torch.Tensor) -> torch.Tensor:
        """After the last iteration."""
        return match_moments(z, self._whole, GLOBAL) if self._config.after_loop else z
