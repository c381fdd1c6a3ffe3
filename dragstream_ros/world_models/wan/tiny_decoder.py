"""A tiny video decoder for Wan 2.1 latents, in the layout of TAEHV's ``taew2_1`` weights.

A twenty-fifth of the Wan decoder's arithmetic, for pictures that are a little softer.  Three stages
of small residual blocks, each of which also sees its own input of the frame before, and twice the
frame rate after the second and the third stage.  Nothing else looks back in time, so the last
inputs of those blocks are all that a stream has to remember.
"""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.world_models.misfits import misfits

CLAMP = 3.0     # latents beyond this many standard deviations say nothing more


@dataclass(frozen=True)
class TinyDecoderConfig:
    """widths: channels of the three stages and the last; frame_factors: frames out per frame in."""

    latent_channels: int = 16
    widths: tuple[int, int, int, int] = (256, 128, 64, 64)
    frame_factors: tuple[int, int, int] = (1, 2, 2)
    blocks_per_stage: int = 3


@dataclass(frozen=True, eq=False)
class TinyDecoderState:
    """What a stream of latents leaves behind; never changed, so keeping one branches the stream.

    memories: (1, C, h, w) last input of each residual block.
    """

    memories: tuple[torch.Tensor, ...]

    @property
    def nbytes(self) -> int:
        return sum(memory.nbytes for memory in self.memories)


class MemoryBlock(nn.Module):
    """Residual block that sees a frame and the block's input of the frame before."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(2 * width, width, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1))

    def forward(self, x: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        """x: (T, C, h, w), consecutive frames; memory: (1, C, h, w), the input just before."""
        before = torch.cat([memory, x[:-1]])
        return functional.relu(self.conv(torch.cat([x, before], 1)) + x)


class Grow(nn.Module):
    """Twice the picture size and ``factor`` times the frames."""

    def __init__(self, width: int, factor: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, factor * width, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(T, C, h, w) -> (factor * T, C, 2 h, 2 w).

        Repeating pixels commutes with a 1 x 1 convolution, which is a quarter of the work before.
        """
        grown = self.conv(x).reshape(-1, *x.shape[1:])
        return functional.interpolate(grown, scale_factor=2.0, mode='nearest')


class SoftClamp(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x / CLAMP) * CLAMP


class TinyVideoDecoder(nn.Module):
    """Decodes latents as the world model has them (unit variance), each frame once."""

    def __init__(self, config: TinyDecoderConfig = TinyDecoderConfig()) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        layers: list[nn.Module] = [
            SoftClamp(), nn.Conv2d(config.latent_channels, widths[0], 3, padding=1), nn.ReLU()]
        for width, next_width, factor in zip(
                widths[:-1], widths[1:], config.frame_factors, strict=True):
            layers += [MemoryBlock(width) for _ in range(config.blocks_per_stage)]
            # The place of the enlargement, which Grow does: the weights are named by position.
            layers += [nn.Identity(), Grow(width, factor),
                       nn.Conv2d(width, next_width, 3, padding=1, bias=False)]
        layers += [nn.ReLU(), nn.Conv2d(widths[-1], 3, 3, padding=1)]
        self.decoder = nn.Sequential(*layers)
        self.frames_per_latent = 1
        for factor in config.frame_factors:
            self.frames_per_latent *= factor

    def decode(self, latents: torch.Tensor, state: TinyDecoderState | None = None,
               ) -> tuple[torch.Tensor, TinyDecoderState]:
        """Decode (F, 16, h, w) latents of unit variance, which follow those that left ``state``.

        Returns (4 F, 3, 8 h, 8 w) RGB in 0..1 and the state after them; a stream's first latent is
        one frame, as in Wan's own decoder: the three before it are not returned.
        """
        assert latents.ndim == 4 and latents.shape[1] == self.config.latent_channels, latents.shape
        frames = []
        for latent in latents.split(1):     # four frames in full size at a time
            pixels, state = self._decode_one(latent, state)
            frames.append(pixels)
        assert state is not None
        return torch.cat(frames), state

    def _decode_one(self, latent: torch.Tensor, state: TinyDecoderState | None,
                    ) -> tuple[torch.Tensor, TinyDecoderState]:
        x = latent.to(next(self.parameters()).dtype)
        memories: list[torch.Tensor] = []
        for layer in self.decoder:
            if isinstance(layer, MemoryBlock):
                memory = (torch.zeros_like(x[:1]) if state is None
                          else state.memories[len(memories)])
                memories.append(x[-1:].clone())     # a view would keep all frames alive
                x = layer(x, memory)
            else:
                x = layer(x)
        skipped = self.frames_per_latent - 1 if state is None else 0
        return x[skipped:].float().clamp(0, 1), TinyDecoderState(tuple(memories))

    @classmethod
    def load(cls, path: Path) -> TinyVideoDecoder:
        """Load a safetensors file with TAEHV's names; its encoder, if there is one, is left out."""
        if not path.is_file():
            raise DragStreamError(
                ErrorCode.WEIGHTS_MISSING,
                f'The tiny decoder {path} does not exist: put taew2_1.safetensors there, or choose '
                "the decoder 'wan'.")
        try:
            state = {name: value for name, value in load_file(path).items()
                     if not name.startswith('encoder.')}
        except (SafetensorError, OSError) as error:
            raise DragStreamError(
                ErrorCode.WEIGHTS_UNREADABLE,
                f'The tiny decoder {path} cannot be read as safetensors ({error}): turn a .pth '
                'into one with `dragstream convert`, or copy a damaged file again.') from error
        with torch.device('meta'):
            model = cls()
        if wrong := misfits(model, state):
            raise DragStreamError(
                ErrorCode.WEIGHTS_MISMATCH,
                f'The weights in {path} are not those of a tiny decoder for Wan 2.1 ({len(wrong)} '
                f'tensors differ, first {wrong[0]}): use taew2_1.')
        model.load_state_dict(state, assign=True)
        return model.eval().requires_grad_(False)
