"""What AnyFlow-FAR remembers: the newest chunks in full, older frames with fewer tokens."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from dragstream_ros.world_models.wan.context import Page


@dataclass(frozen=True, eq=False)
class FarContext:
    """Immutable, as context.WanContext is.

    far: pages of old frames, oldest first.  chunks: (F, C, h, w) clean latents of the newest, near:
    their pages, all seen in full.  encoder, decoder: where the streaming autoencoder stands.
    """

    far: tuple[Page, ...] = ()
    chunks: tuple[torch.Tensor, ...] = ()
    near: tuple[Page, ...] = ()
    encoder: Any = None
    decoder: Any = None

    @property
    def pages(self) -> tuple[Page, ...]:
        """All that attention sees, oldest first."""
        return (*self.far, *self.near)

    @property
    def nbytes(self) -> int:
        parts = [*self.pages, *self.chunks, self.encoder, self.decoder]
        return sum(part.nbytes for part in parts if part is not None)

    @property
    def remembered_chunks(self) -> int:
        """How many of the chunks have their pages."""
        frames = [sum(map(len, self.chunks[:count])) for count in range(len(self.chunks) + 1)]
        return frames.index(len(self.near))

    def joined(self, x0: torch.Tensor, most: int) -> FarContext:
        """Put frames into the newest chunk if they fit, or into a new one; it has no pages yet.

        most: frames of a chunk.  A stream's first chunk is its first frame alone.
        """
        is_first = not self.far and len(self.chunks) <= 1
        if is_first or len(self.chunks[-1]) + len(x0) > most:
            return replace(self, chunks=(*self.chunks, x0))
        *older, newest = self.chunks
        return replace(self, chunks=(*older, torch.cat([newest, x0])),
                       near=self.near[:sum(map(len, older))])

    def aged(self, pages: Sequence[Page], *, sink: int, most: int) -> FarContext:
        """Move the oldest chunk to the far past, as these pages; those after it have none then.

        most: far frames that stay; the oldest but the sink's go.
        """
        far, sink = (*self.far, *pages), min(sink, most)
        start = max(sink, len(far) - (most - sink))
        return replace(self, far=far[:sink] + far[start:], chunks=self.chunks[1:], near=())
