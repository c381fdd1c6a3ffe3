"""Causal Wan 2.1 behind the core's protocol: what Self-Forcing and AnyFlow-FAR have in common."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from torch import nn

from dragstream_ros.core.held import Held
from dragstream_ros.core.world_model import Conditions, Denoised
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.world_models.wan import model_folder
from dragstream_ros.world_models.wan.autoencoder import WanAutoencoder
from dragstream_ros.world_models.wan.compiled import compile_blocks
from dragstream_ros.world_models.wan.config import (
    CELL_PX,
    CHANNELS,
    FRAMES_PER_LATENT,
    WanConfig,
)
from dragstream_ros.world_models.wan.cost import WanArchitecture, chunk_flop
from dragstream_ros.world_models.wan.memory_plan import plan_loading
from dragstream_ros.world_models.wan.profiles import wan_profiles
from dragstream_ros.world_models.wan.prompt import load_prompt
from dragstream_ros.world_models.wan.side_stream import PendingFrames, SideStream
from dragstream_ros.world_models.wan.tiny_decoder import TinyVideoDecoder
from dragstream_ros.world_models.wan.transformer import CausalWan
from dragstream_ros.world_models.wan.weights import load_part

Context = TypeVar('Context', bound=Any)


class VideoDecoder(Protocol):
    """Decodes latents (n, C, h, w) that follow those behind a state; None: the stream's first.

    Returns frames (T, 3, H, W) in 0..1, four a latent but one for the first, and the state after.
    """

    def decode(self, latents: torch.Tensor, state: Any = None) -> tuple[torch.Tensor, Any]: ...


class WanWorldModel(nn.Module):
    """See core.world_model.WorldModel, whose members its two kinds have.

    Four video frames a latent frame, but one for the first of a stream.  It knows no drags, and
    does not guess: a drag is always guidance.  A kind says what a stream opens with, and how a
    chunk is remembered.

    name: as load_world_model has it.  transformer_class: diffusers'; wan_class: what runs it.
    """

    name: ClassVar[str]
    transformer_class: ClassVar[Any]
    wan_class: ClassVar[type[CausalWan]]

    frames_per_latent = FRAMES_PER_LATENT
    follows_maps = False
    given_up = ''       # for speed, as people read it

    def __init__(self, config: WanConfig, wan: CausalWan, autoencoder: WanAutoencoder,
                 decoder: VideoDecoder) -> None:
        super().__init__()
        self.config, self.wan, self.autoencoder, self.decoder = config, wan, autoencoder, decoder
        self.architecture = WanArchitecture.of(wan.transformer.config, autoencoder.vae.config)
        self.image_size = config.image_size
        self.frame_period_secs = 1 / config.frames_per_second
        self.frames_per_chunk = FRAMES_PER_LATENT * config.latents_per_chunk
        self.latent_shape, self.token_grid = config.latent_shape, config.token_grid
        self.sigmas = config.sigmas
        self.table_view = config.table_view
        self.profiles = wan_profiles(config)
        self.device: torch.device = wan.prompt.device
        self.most_goals: int | None = None      # of planners, that the memory has room for
        self._decoding = SideStream(self.device)        # all that is decoded, and no other work

    # --- frames <-> latents ---------------------------------------------------------------------

    @torch.no_grad()
    def encode(self, frames: np.ndarray) -> torch.Tensor:
        return self.autoencoder.encode(self._pixels(frames))[0]

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> np.ndarray:
        return np.asarray(self._decoded(latents, None)[0])

    # --- the past -------------------------------------------------------------------------------

    def empty_context(self) -> Any:
        raise NotImplementedError

    def opening(self, frames: np.ndarray) -> np.ndarray:
        """What is shown to the model of a stream's first frame (1, H, W, 3)."""
        raise NotImplementedError

    def commit(self, x0: torch.Tensor, context: Any) -> Any:
        raise NotImplementedError

    @torch.no_grad()
    def take(self, frames: np.ndarray, context: Context) -> tuple[torch.Tensor, Context]:
        """The decoder follows, so that a prediction goes on where the camera is."""
        if context.encoder is None:
            frames = self.opening(frames)
        latents, encoder = self.autoencoder.encode(self._pixels(frames), context.encoder)
        _, decoder = self._decoded(latents, context.decoder)
        return latents, replace(context, encoder=encoder, decoder=decoder)

    def past_of(self, context: Context) -> Context:
        """All that a reference is read from: where the autoencoder stands is large, and not it."""
        return replace(context, encoder=None, decoder=None)

    # --- the future -----------------------------------------------------------------------------

    def condition(self, context: Any, newest: np.ndarray,
                  drag_maps: torch.Tensor | None = None, held: Held | None = None,
                  guess: torch.Tensor | None = None, settle: bool = True) -> Conditions:
        if guess is None:
            guess = torch.zeros(self.config.latents_per_chunk, *self.latent_shape,
                                device=self.device)
        # No camera frame follows a prediction, and where the encoder stands is large.
        return Conditions(replace(context, encoder=None), newest, guess)

    def denoise(self, x: torch.Tensor, step: int, conditions: Conditions,
                taps: Sequence[int] = (), stop_after_taps: bool = False) -> Denoised:
        return self.wan.denoise(x, self.sigmas[step], conditions.context.pages, taps,
                                stop_after_taps)

    @torch.no_grad()
    def finish(self, x0: torch.Tensor, conditions: Conditions,
               ) -> tuple[torch.Tensor, PendingFrames, Any]:
        """The frames are decoded while the chunk is remembered, until numpy.asarray wants them."""
        context = conditions.context
        frames, decoder = self._decoded(x0, context.decoder)
        return x0, frames, replace(context, decoder=decoder)

    def _decoded(self, latents: torch.Tensor, state: Any) -> tuple[PendingFrames, Any]:
        def decode() -> tuple[PendingFrames, Any]:
            pixels, after = self.decoder.decode(latents, state)
            return PendingFrames(pixels, self._decoding), after

        return self._decoding.start(decode, latents)

    def _pixels(self, frames: np.ndarray) -> torch.Tensor:
        """(T, H, W, 3) uint8 -> (T, 3, H, W) in 0..1, where the model is."""
        width, height = self.image_size
        assert frames.shape[1:] == (height, width, 3), frames.shape
        pixels = torch.from_numpy(np.ascontiguousarray(frames)).to(self.device)
        return pixels.permute(0, 3, 1, 2).float() / 255

    # --- files ----------------------------------------------------------------------------------

    @classmethod
    def load(cls, folder: Path, device: torch.device | None = None,
             dtype: torch.dtype | None = None, *,
             memory_budget_gb: float = 0.0) -> WanWorldModel:
        """Load a folder as docs/wan.md describes; by default to the GPU in bfloat16.

        Without a GPU it is the CPU in float32.  What is planned is printed first; what is beyond
        memory_budget_gb (0: the GPU's memory) gives up what memory_plan says.  DragStreamError
        names what is missing, broken or does not fit.
        """
        on_gpu = torch.cuda.is_available()
        device = device or torch.device('cuda' if on_gpu else 'cpu')
        dtype = dtype or (torch.bfloat16 if device.type == 'cuda' else torch.float32)
        if (found := model_folder.world_model_of(folder)) != cls.name:
            raise DragStreamError(
                ErrorCode.WEIGHTS_MISMATCH,
                f'The transformer in {folder} is of the world model {found}, not {cls.name}: set '
                f'world_model to {found}, or weights_folder to another folder.')
        plan = plan_loading(folder, device, dtype, memory_budget_gb)
        print(plan.describe(), flush=True)
        config, dtype = plan.config, getattr(torch, plan.dtype)
        transformer = load_part(cls.transformer_class, folder / 'transformer', device=device,
                                dtype=dtype)
        vae = load_part(AutoencoderKLWan, folder / 'vae', device=device, dtype=dtype)
        _check_fit(config, transformer, vae, folder)
        prompt = load_prompt(folder, transformer.config.text_dim).to(device, dtype)
        wan = cls.wan_class(transformer, prompt, grid=config.token_grid, frames=config.window)
        autoencoder = WanAutoencoder(vae).to(device)
        decoder: VideoDecoder = autoencoder
        if config.decoder == 'tiny':
            decoder = TinyVideoDecoder.load(folder / 'tiny_decoder.safetensors').to(device, dtype)
        model = cls(config, wan, autoencoder, decoder)
        model.most_goals = plan.most_goals
        model.compile_if_worthwhile()
        return model

    def compile_if_worthwhile(self) -> None:
        """Compile what a full window runs, on a GPU."""
        config = self.config
        if config.compile and self.device.type == 'cuda':
            compile_blocks(
                self.wan, past_frames=config.past_latents, sigma=config.sigmas[0],
                taps=config.taps, chunk=(config.latents_per_chunk, *config.latent_shape))

    def lighter(self, speed: float) -> WanWorldModel | None:
        """The same with the longest window that costs at most ``speed`` of this one, or the least.

        None: this is the least.  Counted by arithmetic; the parts are shared.
        """
        net, architecture = self.wan.transformer, self.architecture
        allowed = speed * chunk_flop(architecture, self.config)
        chosen = None
        for chosen in self.config.shorter_windows():
            if chunk_flop(architecture, chosen) <= allowed:
                break
        if chosen is None:
            return None
        wan = self.wan_class(
            net, self.wan.prompt[0], grid=chosen.token_grid, frames=chosen.window)
        model = type(self)(chosen, wan, self.autoencoder, self.decoder)
        model.given_up = f'window {self.config.window} -> {chosen.window}'
        model.most_goals = self.most_goals
        model.compile_if_worthwhile()
        return model


def _check_fit(config: WanConfig, transformer: Any, vae: Any, folder: Path) -> None:
    blocks = transformer.config.num_layers
    far = WanArchitecture.of(transformer.config, vae.config).far_patch_cells * CELL_PX
    for wrong, why in (
            (far and any(side % far for side in config.image_size),
             f'image_size must be two multiples of {far}'),
            (far and config.past_latents < config.latents_per_chunk,
             'window must hold two chunks'),
            (transformer.config.in_channels != CHANNELS or vae.config.z_dim != CHANNELS,
             f'transformer and autoencoder must both have {CHANNELS} latent channels'),
            (max(config.taps) >= blocks, f'taps must be among the {blocks} blocks'),
            (transformer.config.image_dim is not None, 'the transformer wants a picture beside '
             'the text, which is another model')):
        if wrong:
            raise DragStreamError(ErrorCode.WEIGHTS_MISMATCH,
                                  f'The model in {folder} does not fit together: {why}.')

