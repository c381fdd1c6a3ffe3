"""How a causal Wan model is run: what its weights do not say themselves (``model.json``)."""
from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from dragstream_ros.core.table_view import TableView
from dragstream_ros.errors import DragStreamError, ErrorCode

FILE_NAME = 'model.json'
FRAMES_PER_LATENT = 4       # of Wan's autoencoder; the first latent of a stream is one frame alone
CELL_PX, PATCH_CELLS = 8, 2
CHANNELS = 16


@dataclass(frozen=True, kw_only=True)
class WanConfig:
    """The defaults are Self-Forcing's; another distillation is another ``model.json``.

    image_size: (width, height) in px, multiples of 16.
    latents_per_chunk: denoised together; 1 is a frame-wise model.
    sigmas: noise level of each denoise step, falling from 1 or less.
    window: latent frames that attention sees, sink and the chunk in hand included.
    sink: the stream's first latent frames, which stay when the window rolls on.
    decoder: 'wan', the autoencoder's own, or 'tiny', faster and softer.
    taps: attention blocks that guidance matches; guided_step: the denoise step that it optimises.
    horizon, tilt_deg: see core.table_view.TableView; None: what is dragged keeps its size.
    compile: on a GPU, what a full window runs is compiled at loading.
    """

    image_size: tuple[int, int] = (832, 480)
    latents_per_chunk: int = 3
    sigmas: tuple[float, ...] = (1.0, 15 / 16, 5 / 6, 5 / 8)
    window: int = 21
    sink: int = 3
    frames_per_second: float = 16.0
    decoder: Literal['wan', 'tiny'] = 'wan'
    taps: tuple[int, ...] = (12, 13, 14, 15)
    guided_step: int = 1
    horizon: float | None = None
    tilt_deg: float | None = None
    compile: bool = True

    def __post_init__(self) -> None:
        wrong = self._what_is_wrong()
        if wrong:
            raise ValueError(wrong)
        TableView.of(self.horizon, self.tilt_deg)

    def _what_is_wrong(self) -> str:
        multiple = CELL_PX * PATCH_CELLS
        counts = (*self.image_size, self.latents_per_chunk, self.window, self.sink, *self.taps,
                  self.guided_step)
        if any(type(count) is not int for count in counts):
            return ('image_size, latents_per_chunk, window, sink, taps and guided_step must be '
                    'whole numbers')
        if len(self.image_size) != 2 or any(
                side < multiple or side % multiple for side in self.image_size):
            return f'image_size must be two multiples of {multiple}'
        if self.latents_per_chunk < 1 or self.sink < 0:
            return 'latents_per_chunk must be at least 1 and sink at least 0'
        if self.window < self.sink + self.latents_per_chunk + 1:
            return 'window must hold sink, chunk and one latent frame more'
        rising = any(a <= b for a, b in zip(self.sigmas, self.sigmas[1:]))
        if not self.sigmas or rising or not 0 < self.sigmas[-1] <= self.sigmas[0] <= 1:
            return 'sigmas must fall, between 1 and 0'
        if not 0 <= self.guided_step < len(self.sigmas):
            return 'guided_step must be the index of one of the sigmas'
        if not self.taps or min(self.taps) < 0:
            return 'taps must name one attention block or more, counted from 0'
        if not (math.isfinite(self.frames_per_second) and self.frames_per_second > 0):
            return 'frames_per_second must be more than 0'
        if type(self.compile) is not bool:
            return 'compile must be true or false'
        return '' if self.decoder in ('wan', 'tiny') else "decoder must be 'wan' or 'tiny'"

    @property
    def table_view(self) -> TableView | None:
        return TableView.of(self.horizon, self.tilt_deg)

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        width, height = self.image_size
        return CHANNELS, height // CELL_PX, width // CELL_PX

    @property
    def token_grid(self) -> tuple[int, int]:
        _, h, w = self.latent_shape
        return h // PATCH_CELLS, w // PATCH_CELLS

    @property
    def tokens_per_latent(self) -> int:
        return math.prod(self.token_grid)

    def shorter_windows(self) -> Iterator[WanConfig]:
        """The same with less and less of a window, a chunk at a time; last of all goes the sink."""
        chunk = self.latents_per_chunk
        for window in range(self.window - chunk, 2 * chunk - 1, -chunk):
            if (sink := min(self.sink, window - chunk - 1)) >= 0:
                yield replace(self, window=window, sink=sink)

    @property
    def past_latents(self) -> int:
        """How many latent frames are remembered at most, the sink among them."""
        return self.window - self.latents_per_chunk

    @classmethod
    def read(cls, folder: Path) -> WanConfig:
        """Read ``model.json``; what it leaves out is as Self-Forcing has it.

        DragStreamError: it is missing, no JSON, or makes no sense.
        """
        path = folder / FILE_NAME
        if not path.is_file():
            raise DragStreamError(
                ErrorCode.WEIGHTS_MISSING,
                f'{path} does not exist: set weights_folder to a folder as docs/wan.md describes.')
        try:
            told = json.loads(path.read_text())
            values: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value
                for name, value in told.items()}
            unknown = values.keys() - {field.name for field in fields(cls)}
            if unknown:
                raise ValueError(f'{min(unknown)!r} is no key of it')
            return cls(**values)
        except (ValueError, TypeError, AttributeError, OSError) as error:
            raise DragStreamError(
                ErrorCode.WEIGHTS_UNREADABLE,
                f'{path} makes no sense ({error}): mend it, docs/wan.md has the keys.') from error
