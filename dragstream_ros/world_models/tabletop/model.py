"""The bundled world model behind the core's protocol: weights, streaming, few-step denoising."""
from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from dragstream_ros.core.world_model import Denoised, Tap
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.world_models.tabletop.autoencoder import AutoencoderConfig, FrameAutoencoder
from dragstream_ros.world_models.tabletop.carry import carry
from dragstream_ros.world_models.tabletop.context import Context
from dragstream_ros.world_models.tabletop.dynamics import (
    ChunkDenoiser,
    DynamicsConfig,
    attend,
    flat,
)

WEIGHTS = Path(__file__).parents[1] / 'weights'
NAME = 'tabletop'


class TabletopWorldModel(nn.Module):
    """See core.world_model.WorldModel, whose members this has.

    128 x 128 px at 10 frames a second, 4 frames a chunk, one latent frame per video frame.
    """

    image_size = (128, 128)
    frame_period_secs = 0.1

    def __init__(self, autoencoder: AutoencoderConfig = AutoencoderConfig(),
                 dynamics: DynamicsConfig = DynamicsConfig(),
                 sigmas: Sequence[float] = (1.0, 0.5)) -> None:
        super().__init__()
        self.autoencoder = FrameAutoencoder(autoencoder)
        self.dynamics = ChunkDenoiser(dynamics)
        self.sigmas = tuple(sigmas)
        self._newest_carry: tuple[int, int, torch.Tensor] | None = None
        size = dynamics.latent_size
        self.frames_per_chunk = dynamics.frames_per_chunk
        self.latent_shape = (dynamics.latent_channels, size, size)
        self.token_grid = (dynamics.grid, dynamics.grid)

    # --- frames <-> latents ---------------------------------------------------------------------

    @torch.no_grad()
    def encode(self, frames: np.ndarray) -> torch.Tensor:
        width, height = self.image_size
        assert frames.shape[1:] == (height, width, 3), frames.shape
        pixels = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
        return self.autoencoder.encode(pixels.float() / 255)

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> np.ndarray:
        pixels = self.autoencoder.decode(latents).mul(255).round_().clamp_(0, 255).to(torch.uint8)
        return pixels.permute(0, 2, 3, 1).contiguous().numpy()

    # --- the past -------------------------------------------------------------------------------

    def empty_context(self) -> Context:
        c = self.dynamics.config
        nothing = torch.zeros(c.blocks, 0, c.heads, c.grid ** 2, c.width // c.heads)
        return Context(nothing, nothing)

    @torch.no_grad()
    def commit(self, x0: torch.Tensor, context: Context) -> Context:
        """Frame-causal: each frame sees itself, the sink and the window's frames before it."""
        net, config = self.dynamics, self.dynamics.config
        frames, past = len(x0), context.frames
        first = x0[:1] if context.newest is None else context.newest
        history = torch.cat([first.flip(0) if len(first) == 2 else first.repeat(2, 1, 1, 1), x0])
        known = torch.cat([history[1:-1], history[:-2]], 1)                 # newest, then before
        clean = torch.full((frames,), config.frames_per_chunk)
        embedding = net.embed(torch.zeros(1, frames), clean)
        tokens, _ = net.encode_frames(x0[None], known[None], embedding)
        mask = self._clean_mask(past, frames)
        keys, values = [], []
        for index, block in enumerate(net.attention_blocks):
            q, k, v = block.project(tokens, embedding)
            keys.append(k[0])
            values.append(v[0])
            if block is not net.attention_blocks[-1]:       # nothing reads the last one's output
                tap = self._tap(context, index, q[0], k[0], v[0])
                out = attend(tap.queries[None], tap.keys[None], tap.values[None], mask)
                tokens = block.finish(tokens, out.unflatten(1, (frames, -1)), embedding)
        return context.append(torch.stack(keys), torch.stack(values), history[-2:].flip(0),
                              sink=config.sink, window=config.window)

    def _clean_mask(self, past: int, frames: int) -> torch.Tensor | None:
        """(F * tokens, (past + F) * tokens) bool, None when a lone frame may see everything."""
        if frames == 1:
            return None
        config = self.dynamics.config
        query = past + torch.arange(frames)[:, None]
        key = torch.arange(past + frames)
        seen = (key <= query) & ((query - key <= config.window) | (key < config.sink))
        return seen.repeat_interleave(config.grid ** 2, 0).repeat_interleave(config.grid ** 2, 1)

    # --- the future -----------------------------------------------------------------------------

    def denoise(self, x: torch.Tensor, step: int, context: Context,
                drag_maps: torch.Tensor | None = None, taps: Sequence[int] = (),
                stop_after_taps: bool = False) -> Denoised:
        assert x.shape == (self.frames_per_chunk, *self.latent_shape), x.shape
        assert context.newest is not None, 'commit at least one frame first'
        net = self.dynamics
        frames = len(x)
        known = context.newest.flatten(0, 1).expand(frames, -1, -1, -1)
        embedding = net.embed(torch.full((1, frames), self.sigmas[step]), torch.arange(frames))
        drag = () if drag_maps is None else (
            drag_maps[None], self._carried(context, drag_maps)[None])
        tokens, start = net.encode_frames(x[None], known[None], embedding, *drag)
        tapped: dict[int, Tap] = {}
        for index, block in enumerate(net.attention_blocks):
            q, k, v = block.project(tokens, embedding)
            tap = self._tap(context, index, q[0], k[0], v[0])
            if index in taps:
                tapped[index] = tap
                if stop_after_taps and len(tapped) == len(taps):
                    return Denoised(None, tapped)
            out = attend(tap.queries[None], tap.keys[None], tap.values[None])
            tokens = block.finish(tokens, out.unflatten(1, (frames, -1)), embedding)
        return Denoised(net.decode_frames(tokens, start, embedding)[0], tapped)

    def _carried(self, context: Context, drag_maps: torch.Tensor) -> torch.Tensor:
        """The newest frame with what is dragged carried along, (F, C, h, w); once per chunk."""
        if self._newest_carry is None or self._newest_carry[:2] != (id(context), id(drag_maps)):
            assert context.newest is not None
            newest = self.autoencoder.decode(context.newest[:1]).clamp(0, 1)
            frames = carry(newest.expand(len(drag_maps), -1, -1, -1), drag_maps)
            self._newest_carry = (id(context), id(drag_maps), self.autoencoder.encode(frames))
        return self._newest_carry[2]

    def _tap(self, context: Context, block: int, q: torch.Tensor, k: torch.Tensor,
             v: torch.Tensor) -> Tap:
        """Join context and chunk, (F, heads, tokens, head_dim) each, and rotate by position."""
        rotary = self.dynamics.rotary
        keys = flat(torch.cat([context.keys[block], k])[None])[0]
        values = flat(torch.cat([context.values[block], v])[None])[0]
        angles = rotary.angles(torch.arange(context.frames + len(k)))
        queries = flat(q[None])[0]
        return Tap(rotary.rotate(queries, angles[-queries.shape[1]:]),
                   rotary.rotate(keys, angles), values)

    # --- files ----------------------------------------------------------------------------------

    def save(self, folder: Path, card: dict[str, Any]) -> Path:
        """Write the weights (float16) and the configuration with the model card's facts."""
        path = folder / f'{NAME}.safetensors'
        save_file({k: v.half().contiguous() for k, v in self.state_dict().items()}, path)
        config = {'autoencoder': asdict(self.autoencoder.config),
                  'dynamics': asdict(self.dynamics.config), 'sigmas': self.sigmas, 'card': card}
        path.with_suffix('.json').write_text(json.dumps(config, indent=1) + '\n')
        return path

    @classmethod
    def load(cls, folder: Path | None = None) -> TabletopWorldModel:
        """Load what ``save`` wrote; DragStreamError names what is missing, broken or unfitting."""
        path = (folder or WEIGHTS) / f'{NAME}.safetensors'
        for needed in (path, path.with_suffix('.json')):
            if not needed.is_file():
                raise DragStreamError(
                    ErrorCode.WEIGHTS_MISSING,
                    f'The weights file {needed} does not exist: set weights_folder to a folder '
                    'that holds it, or leave it empty for the bundled model.')
        try:
            config = json.loads(path.with_suffix('.json').read_text())
            sizes: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v
                                     for k, v in config['autoencoder'].items()}
            model = cls(AutoencoderConfig(**sizes), DynamicsConfig(**config['dynamics']),
                        config['sigmas'])
            state = {k: v.float() for k, v in load_file(path).items()}
        except (SafetensorError, ValueError, KeyError, TypeError, OSError) as error:
            raise DragStreamError(
                ErrorCode.WEIGHTS_UNREADABLE,
                f'The weights in {path} cannot be read ({error}): the file is damaged or is no '
                'tabletop model; copy it again.') from error
        own = {k: v.shape for k, v in model.state_dict().items()}
        wrong = [k for k in own.keys() | state.keys()
                 if k not in own or k not in state or own[k] != state[k].shape]
        if wrong:
            raise DragStreamError(
                ErrorCode.WEIGHTS_MISMATCH,
                f'The weights in {path} do not fit their configuration ({len(wrong)} tensors '
                f'differ, first {min(wrong)}): use the pair of files that training wrote.')
        model.load_state_dict(state)
        return model.eval().requires_grad_(False)
