"""Which spatial frequencies of the context may speak (switchable frequency selection, spec 1.5.2).

The reference that a drag matches features against is computed several times, each time from keys
and values that were low-passed over the token grid with another cut-off. One of these variants is
drawn for every optimisation iteration, so that neither fine texture nor coarse layout of the old
place of an object holds the drag back for long.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, kw_only=True)
class FrequencySelectionConfig:
    """The variants of the reference.

    cutoffs: where the gain is one half, in cycles per token (the grid's corner is at 0.707); None
        leaves the tokens as they are. The code has 0.2, 0.4, 0.6 and None, the paper 1.0 for None,
        which is nearly the same.
    order: of the Butterworth filter.
    """

    cutoffs: tuple[float | None, ...] = (0.2, 0.4, 0.6, None)
    order: int = 4

    def choose(self, generator: torch.Generator) -> int:
        """Draw the index of a variant, all equally likely."""
        return int(
            torch.randint(len(self.cutoffs), (), generator=generator, device=generator.device)
        )


def butterworth_gain(
    grid: tuple[int, int], cutoff: float, order: int, *, device: torch.device | None = None
) -> torch.Tensor:
    """Gain (h, w) float32, in FFT order: 1 / (1 + (R / cutoff)^(2 order)), R in cycles/token."""
    fy = torch.fft.fftfreq(grid[0], device=device)
    fx = torch.fft.fftfreq(grid[1], device=device)
    radius = torch.hypot(fy[:, None], fx[None, :])
    return 1.0 / (1.0 + (radius / cutoff) ** (2 * order))


def low_pass(
    tokens: torch.Tensor, grid: tuple[int, int], cutoff: float | None, order: int
) -> torch.Tensor:
    """Filter tokens (heads, frames * h * w, head_dim), each frame, head and channel by itself.

    grid: (h, w), the tokens of a frame in rows. Keys come as attention uses them, that is after
    their position encoding. Computed in float32 at least, returned in the dtype that came.
    """
    if cutoff is None:
        return tokens
    h, w = grid
    heads, n_tokens, channels = tokens.shape
    precise = tokens.to(torch.promote_types(tokens.dtype, torch.float32))
    frames = precise.reshape(heads, n_tokens // (h * w), h, w, channels)
    spectrum = torch.fft.rfft2(frames, dim=(-3, -2))
    # The spectrum of a real signal is symmetric and so is the gain: half of each will do.
    gain = butterworth_gain(grid, cutoff, order, device=tokens.device)[:, : w // 2 + 1, None]
    filtered = torch.fft.irfft2(spectrum * gain, s=grid, dim=(-3, -2))
    return filtered.reshape(tokens.shape).to(tokens.dtype)
