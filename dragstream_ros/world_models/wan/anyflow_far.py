"""World model ``anyflow_far``: AnyFlow-FAR-Wan2.1-1.3B, whose far past has fewer tokens."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from diffusers import AnyFlowFARTransformer3DModel

from dragstream_ros.world_models.wan.far_context import FarContext
from dragstream_ros.world_models.wan.far_transformer import CausalFar
from dragstream_ros.world_models.wan.model import WanWorldModel


class AnyFlowFarWorldModel(WanWorldModel):
    """The newest chunks are remembered in full, older ones with a quarter of the tokens.

    When a chunk grows old, those after it see it otherwise, so they are remembered anew: all of
    them in diffusers' pipeline, here the few in full, so that no chunk costs more than another.
    """

    name = 'anyflow_far'
    transformer_class = AnyFlowFARTransformer3DModel
    wan_class = CausalFar
    wan: CausalFar

    def empty_context(self) -> FarContext:
        return FarContext()

    def opening(self, frames: np.ndarray) -> np.ndarray:
        """One picture is a chunk that the model was trained to begin with."""
        return frames

    @torch.no_grad()
    def commit(self, x0: torch.Tensor, context: FarContext) -> FarContext:
        """Frames that come alone, as the camera's do, join the newest chunk until it is whole."""
        near_latents, per_chunk = self._near_latents, self.config.latents_per_chunk
        context = context.joined(x0, per_chunk)
        if len(context.chunks) > near_latents // per_chunk:
            pages = self.wan.remember_far(context.chunks[0], context.far)
            context = context.aged(pages, sink=self.config.sink,
                                   most=self.config.past_latents - near_latents)
        for chunk in context.chunks[context.remembered_chunks:]:
            pages = self.wan.remember(chunk, context.pages)
            context = replace(context, near=(*context.near, *pages))
        return context

    def compile_if_worthwhile(self) -> None:
        """It is not compiled: its window has a shape of its own while the newest chunk grows."""

    @property
    def _near_latents(self) -> int:
        return self.architecture.near_latents(self.config)
