"""World model ``self_forcing``: Wan2.1-T2V-1.3B with Self-Forcing weights, from camera frames."""
from __future__ import annotations

import numpy as np
import torch
from diffusers import WanTransformer3DModel

from dragstream_ros.world_models.wan.config import FRAMES_PER_LATENT
from dragstream_ros.world_models.wan.context import WanContext
from dragstream_ros.world_models.wan.model import WanWorldModel
from dragstream_ros.world_models.wan.transformer import CausalWan


class SelfForcingWorldModel(WanWorldModel):
    """Every chunk is remembered once, in full; what leaves the window is forgotten."""

    name = 'self_forcing'
    transformer_class = WanTransformer3DModel
    wan_class = CausalWan

    def empty_context(self) -> WanContext:
        return WanContext()

    def opening(self, frames: np.ndarray) -> np.ndarray:
        """It stands still for a chunk: the model knows no shorter beginning."""
        return np.repeat(frames, 1 + FRAMES_PER_LATENT * (self.config.latents_per_chunk - 1), 0)

    @torch.no_grad()
    def commit(self, x0: torch.Tensor, context: WanContext) -> WanContext:
        return context.append(self.wan.remember(x0, context.pages),
                              sink=self.config.sink, most=self.config.past_latents)
