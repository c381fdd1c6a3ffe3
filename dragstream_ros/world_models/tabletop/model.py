"""The bundled world model behind the core's protocol: weights, streaming, few-step denoising."""
from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from dragstream_ros.core.drag import DragCommand
from dragstream_ros.core.drag_guidance import PROFILES
from dragstream_ros.core.held import Grow, Held
from dragstream_ros.core.table_view import TableView
from dragstream_ros.core.world_model import Denoised, Tap
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.masks.once_per_picture import OncePerPicture
from dragstream_ros.world_models.misfits import misfits
from dragstream_ros.world_models.tabletop.at_once import at_once
from dragstream_ros.world_models.tabletop.autoencoder import AutoencoderConfig, FrameAutoencoder
from dragstream_ros.world_models.tabletop.bare_table import BareTable, BareTableConfig
from dragstream_ros.world_models.tabletop.context import Context, TabletopConditions
from dragstream_ros.world_models.tabletop.dynamics import (
    ChunkDenoiser,
    DynamicsConfig,
    attend_and_finish,
    flat,
)
from dragstream_ros.world_models.tabletop.first_guess import FirstGuess
from dragstream_ros.world_models.tabletop.flow import FlowConfig, FlowNet
from dragstream_ros.world_models.tabletop.grasp import grasped
from dragstream_ros.world_models.tabletop.seen_picture import SeenPicture
from dragstream_ros.world_models.tabletop.whole_thing import (
    WholeThing,
    WholeThingConfig,
    put_back,
    view_of,
)

WEIGHTS = Path(__file__).parents[1] / 'weights'
NAME = 'tabletop'
# By how much denoising changes a cell of the guess: its root mean square, latents being of about
# unit variance. Below the first the picture keeps what was carried there, above the second nothing.
UNCHANGED, CHANGED = 0.1, 0.3
# By how much a pixel of a known table changes, in 0..1: below the first that is the autoencoder's.
FAINT = 0.08, 0.16
# What has not changed for so long rests: of such arms 13 % move within half a second (60 scenes).
RESTED_FRAMES = 4
# Of the simulation's cameras, on the average (simulation/camera.py).
TABLE_VIEW = TableView(horizon=-1.9, tilt_deg=55)


class TabletopWorldModel(nn.Module):
    """See core.world_model.WorldModel, whose members this has.

    128 x 128 px at 10 frames a second, 5 frames a chunk, one latent frame per video frame.
    """

    image_size = (128, 128)
    frame_period_secs = 0.1
    frames_per_latent = 1
    follows_maps = True
    profiles = PROFILES

    def __init__(self, autoencoder: AutoencoderConfig = AutoencoderConfig(),
                 flow: FlowConfig = FlowConfig(), dynamics: DynamicsConfig = DynamicsConfig(),
                 sigmas: Sequence[float] = (0.5,),
                 table_view: TableView | None = TABLE_VIEW,
                 bare_table: BareTableConfig | None = BareTableConfig(),
                 whole_thing: WholeThingConfig | None = WholeThingConfig()) -> None:
        super().__init__()
        self.autoencoder = FrameAutoencoder(autoencoder)
        self.flow = FlowNet(flow)
        self.dynamics = ChunkDenoiser(dynamics)
        self.bare_table = None if bare_table is None else BareTable(bare_table)
        self.whole_thing = None if whole_thing is None else WholeThing(whole_thing)
        self._see = OncePerPicture(partial(
            SeenPicture.of, paint=None if bare_table is None else self._paint,
            complete=None if whole_thing is None else self._complete))
        self.sigmas = tuple(sigmas)
        self.table_view = table_view
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
        return self._encode(pixels.float() / 255)

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> np.ndarray:
        return _frames(self._decode(latents))

    def _encode(self, pixels: torch.Tensor) -> torch.Tensor:
        return torch.cat(at_once(self.autoencoder.encode, pixels.chunk(2)))

    def _decode(self, latents: torch.Tensor) -> torch.Tensor:
        return torch.cat(at_once(self.autoencoder.decode, latents.chunk(2)))

    # --- the past -------------------------------------------------------------------------------

    def empty_context(self) -> Context:
        return Context()

    def take(self, frames: np.ndarray, context: Context) -> tuple[torch.Tensor, Context]:
        return self.encode(frames), replace(context, seen=None)

    @torch.no_grad()
    def commit(self, x0: torch.Tensor, context: Context) -> Context:
        """Frame-causal: each frame sees itself, the sink and the window's frames before it."""
        net, config = self.dynamics, self.dynamics.config
        frames, past = len(x0), context.frames
        first = x0[:1] if context.newest is None else context.newest
        history = torch.cat([first.flip(0) if len(first) == 2 else first.repeat(2, 1, 1, 1), x0])
        known = torch.cat([history[1:-1], history[:-2]], 1)                 # newest, then before
        clean = torch.full((frames,), config.frames_per_chunk)
        embeddings = net.embed(torch.zeros(1, frames), clean).chunk(2, 1)
        slots = torch.arange(past, past + frames).chunk(2)
        masks = [self._clean_mask(part, past + frames) for part in slots]
        begun = at_once(net.encode_frames, x0[None].chunk(2, 1), known[None].chunk(2, 1),
                        embeddings)
        tokens = [tokens for tokens, _ in begun]
        keys, values = [], []
        past_keys, past_values = self._positioned(context)
        for index, block in enumerate(net.attention_blocks):
            projected = at_once(block.project, tokens, embeddings)
            keys.append(torch.cat([k[0] for _, k, _ in projected]))
            values.append(torch.cat([v[0] for _, _, v in projected]))
            if block is not net.attention_blocks[-1]:       # nothing reads the last one's output
                queries, k, v = self._joined(
                    projected, slots, past_keys[index], past_values[index])
                tokens = at_once(partial(attend_and_finish, block, k, v), queries, tokens,
                                 embeddings, masks)
        return context.append(torch.stack(keys), torch.stack(values), history[-2:].flip(0),
                              _rested(history[1:], context.rested),
                              sink=config.sink, window=config.window)

    def _clean_mask(self, query: torch.Tensor, frames: int) -> torch.Tensor | None:
        """(Q * tokens, frames * tokens) bool for frames in the slots ``query`` (Q,) of all.

        None where that is the last one alone: it may see everything.
        """
        if len(query) == 1 and int(query) == frames - 1:
            return None
        config = self.dynamics.config
        query, key = query[:, None], torch.arange(frames)
        seen = (key <= query) & ((query - key <= config.window) | (key < config.sink))
        return seen.repeat_interleave(config.grid ** 2, 0).repeat_interleave(config.grid ** 2, 1)

    # --- the future -----------------------------------------------------------------------------

    @torch.no_grad()
    def condition(self, context: Context, newest: np.ndarray,
                  drag_maps: torch.Tensor | None = None, held: Held | None = None,
                  guess: torch.Tensor | None = None, settle: bool = True) -> TabletopConditions:
        assert context.newest is not None, 'commit at least one frame first'
        maps = None if drag_maps is None else drag_maps[None]
        first = None
        if guess is None:
            first = self.first_guess(
                context.newest, newest, maps, held, partial(self._seen_in, newest, context))
            guess = self._encode(first.frames)
            first = first if settle else first.unsettled()
        known = context.newest.flatten(0, 1).expand(1, self.frames_per_chunk, -1, -1, -1)
        keys, values = self._positioned(context)
        return TabletopConditions(context, newest, guess, first, keys, values, known, maps)

    def first_guess(self, latents: torch.Tensor, newest: np.ndarray, maps: torch.Tensor | None,
                    held: Held | None, look: Callable[[], SeenPicture]) -> FirstGuess:
        """Carry the newest frame along the flow.

        latents: (2, C, h, w), the two newest; newest: (H, W, 3) uint8; maps: (1, F, 6, h, w); look:
        returns what the newest frame was cut from.
        """
        flow, seen = at_once(_call, (partial(self.flow, latents.flatten(0, 1)[None], maps), look))
        cell_px = self.image_size[0] / self.latent_shape[2]
        return FirstGuess.of(newest, flow.displacement[0] * cell_px, flow.hole[0].sigmoid(), held,
                             seen)

    def _seen_in(self, newest: np.ndarray, context: Context) -> SeenPicture:
        """What the newest frame of a context was cut from: where it is real, itself."""
        if context.seen is not None:
            return context.seen
        assert context.rested is not None, 'commit at least one frame first'
        rested = (context.rested >= RESTED_FRAMES).float()
        return replace(self._see(newest), rested=functional.interpolate(
            rested, size=newest.shape[:2])[0, 0].cpu().numpy() > 0)

    @torch.no_grad()
    def _paint(self, picture: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        """The bare table of a picture, see backdrop.Paint."""
        assert self.bare_table is not None
        pixels = torch.from_numpy(picture).permute(2, 0, 1).float() / 255
        return _frames(self.bare_table(pixels.expand(len(hidden), -1, -1, -1),
                                       torch.from_numpy(hidden)[:, None].float()))

    @torch.no_grad()
    def _complete(self, picture: np.ndarray, seen: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Things of a picture whole, see hidden_parts.Complete."""
        assert self.whole_thing is not None
        views = np.stack([view_of(picture, thing, rest)
                          for thing, rest in zip(seen, others, strict=True)])
        whole = (self.whole_thing(torch.from_numpy(views)) > 0).numpy()
        return np.stack([put_back(*pair) for pair in zip(whole, seen, strict=True)])

    def grasp(self, context: Context, frame: np.ndarray, command: DragCommand, grow: Grow,
              ) -> tuple[Context, np.ndarray, DragCommand]:
        """Find the regions, and make them whole: grasp.py."""
        seen, frame, command = grasped(
            self._seen_in(frame, context), frame, command, grow,
            is_real=context.seen is None, view=self.table_view)
        return replace(context, seen=seen), frame, command

    def before(self, conditions: TabletopConditions, grasped: Context) -> Context:
        """The context of a chunk that is redone, since something of its last frame was grasped."""
        assert grasped.seen is not None
        seen = self._seen_in(conditions.newest, conditions.context)
        return replace(conditions.context, seen=seen.dragged(
            grasped.seen.grabbed, grasped.seen.grabbed_origin))

    def is_strange(self, context: Context) -> bool:
        """Is the table of what was seen last none that is known? See FirstGuess."""
        return context.seen is not None and context.seen.is_strange

    def denoise(self, x: torch.Tensor, step: int, conditions: TabletopConditions,
                taps: Sequence[int] = (), stop_after_taps: bool = False) -> Denoised:
        assert x.shape == (self.frames_per_chunk, *self.latent_shape), x.shape
        net = self.dynamics
        frames, past = len(x), conditions.context.frames
        embeddings = net.embed(
            torch.full((1, frames), self.sigmas[step]), torch.arange(frames)).chunk(2, 1)
        slots = torch.arange(past, past + frames).chunk(2)
        maps = repeat(None) if conditions.maps is None else conditions.maps.chunk(2, 1)
        begun = at_once(net.encode_frames, x[None].chunk(2, 1), conditions.known.chunk(2, 1),
                        embeddings, maps, conditions.guess[None].chunk(2, 1))
        tokens, starts = map(list, zip(*begun))
        tapped: dict[int, Tap] = {}
        for index, block in enumerate(net.attention_blocks):
            queries, k, v = self._joined(at_once(block.project, tokens, embeddings), slots,
                                         conditions.keys[index], conditions.values[index])
            if index in taps:
                tapped[index] = Tap(torch.cat(queries, 2)[0], k[0], v[0])
                if stop_after_taps and len(tapped) == len(taps):
                    return Denoised(None, tapped)
            tokens = at_once(partial(attend_and_finish, block, k, v), queries, tokens, embeddings)
        return Denoised(torch.cat(at_once(net.decode_frames, tokens, starts, embeddings), 1)[0],
                        tapped)

    @torch.no_grad()
    def finish(self, x0: torch.Tensor, conditions: TabletopConditions,
               ) -> tuple[torch.Tensor, np.ndarray, Context]:
        """What is settled, or all but unchanged by denoising, stays as guessed."""
        changed = _share(_change(x0, conditions.guess), UNCHANGED, CHANGED)
        first, context = conditions.first, conditions.context
        if first is None:
            x0 = conditions.guess.lerp(x0, changed)
            return x0, self.decode(x0), context
        changed = changed * (1 - functional.adaptive_avg_pool2d(
            first.settled, self.latent_shape[1:]))
        x0 = conditions.guess.lerp(x0, changed)
        pixels = self._decode(x0)
        redone = (1 - first.settled) * functional.interpolate(
            changed, size=pixels.shape[-2:], mode='bilinear')
        if first.seen.backdrop is not None:
            redone = redone * _share((pixels - first.frames).abs().amax(1, keepdim=True), *FAINT)
        seen = first.seen
        if seen.backdrop is None:
            seen = seen.without((redone[-1, 0] > 0.5).cpu().numpy())
        return x0, _frames(first.frames.lerp(pixels, redone)), replace(context, seen=seen)

    def _positioned(self, context: Context) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values of the context (blocks, heads, T * tokens, head_dim), keys rotated."""
        c = self.dynamics.config
        if not context.frames:
            nothing = torch.zeros(c.blocks, c.heads, 0, c.width // c.heads)
            return nothing, nothing
        rotate = self.dynamics.rotary.rotate
        return (torch.cat([rotate(key[:, None], slice(slot, slot + 1))[:, 0]
                           for slot, key in enumerate(context.keys)], 2),
                torch.cat(context.values, 2))

    def _joined(self, projected: Sequence[Sequence[torch.Tensor]], slots: Sequence[torch.Tensor],
                keys: torch.Tensor, values: torch.Tensor,
                ) -> tuple[list[torch.Tensor], torch.Tensor, torch.Tensor]:
        """Rotate queries and keys of halves to their slots and put the context's before.

        Returns the queries of each half, and the keys and values of all: (1, heads, tokens,
        head_dim).
        """
        rotate = self.dynamics.rotary.rotate
        queries, new_keys, new_values = zip(*(
            (flat(rotate(q, part)), flat(rotate(k, part)), flat(v))
            for (q, k, v), part in zip(projected, slots, strict=True)))
        return (list(queries), torch.cat([keys[None], *new_keys], 2),
                torch.cat([values[None], *new_values], 2))

    # --- files ----------------------------------------------------------------------------------

    def save(self, folder: Path, card: dict[str, Any]) -> Path:
        """Write the weights (float16) and the configuration with the model card's facts."""
        path = folder / f'{NAME}.safetensors'
        save_file({k: v.half().contiguous() for k, v in self.state_dict().items()}, path)
        view = self.table_view
        config = {'autoencoder': asdict(self.autoencoder.config),
                  'flow': asdict(self.flow.config), 'dynamics': asdict(self.dynamics.config),
                  'bare_table': self.bare_table and asdict(self.bare_table.config),
                  'whole_thing': self.whole_thing and asdict(self.whole_thing.config),
                  'sigmas': self.sigmas,
                  'horizon': view and view.horizon, 'tilt_deg': view and view.tilt_deg,
                  'card': card}
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
            bare_table, whole_thing = config.get('bare_table'), config.get('whole_thing')
            model = cls(AutoencoderConfig(**_sizes(config['autoencoder'])),
                        FlowConfig(**config['flow']), DynamicsConfig(**config['dynamics']),
                        config['sigmas'],
                        TableView.of(config.get('horizon'), config.get('tilt_deg')),
                        bare_table and BareTableConfig(**_sizes(bare_table)),
                        whole_thing and WholeThingConfig(**_sizes(whole_thing)))
            state = {k: v.float() for k, v in load_file(path).items()}
        except (SafetensorError, ValueError, KeyError, TypeError, OSError) as error:
            raise DragStreamError(
                ErrorCode.WEIGHTS_UNREADABLE,
                f'The weights in {path} cannot be read ({error}): the file is damaged or is no '
                'tabletop model; copy it again.') from error
        if wrong := misfits(model, state):
            raise DragStreamError(
                ErrorCode.WEIGHTS_MISMATCH,
                f'The weights in {path} do not fit their configuration ({len(wrong)} tensors '
                f'differ, first {wrong[0]}): use the pair of files that training wrote.')
        model.load_state_dict(state)
        # Channels last: convolutions and norms are up to a fifth faster on a CPU.
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return model.eval().requires_grad_(False)


def _sizes(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration as JSON gives it back, lists as tuples."""
    return {key: tuple(value) if isinstance(value, list) else value
            for key, value in config.items()}


def _rested(latents: torch.Tensor, before: torch.Tensor | None) -> torch.Tensor:
    """For how many frames each cell is as it was, after frames (1 + F, C, h, w): (1, 1, h, w).

    before: up to the first of them; None: nothing is known to have moved.
    """
    rested = torch.full_like(latents[:1, :1], RESTED_FRAMES, dtype=torch.long)
    rested = rested if before is None else before
    for change in _change(latents[1:], latents[:-1]).split(1):
        rested = torch.where(change < UNCHANGED, rested + 1, 0)
    return rested


def _change(latents: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """By how much cells (n, C, h, w) differ: the root mean square, (n, 1, h, w)."""
    return (latents - others).square().mean(1, keepdim=True).sqrt()


def _share(of: torch.Tensor, nothing: float, all_: float) -> torch.Tensor:
    """Values as shares of the way between these two, in 0..1."""
    return ((of - nothing) / (all_ - nothing)).clamp(0, 1)


def _call(make: Callable[[], Any]) -> Any:
    return make()


def _frames(pixels: torch.Tensor) -> np.ndarray:
    """(F, 3, H, W) in 0..1 -> (F, H, W, 3) uint8."""
    levels = pixels.mul(255).round_().clamp_(0, 255).to(torch.uint8)
    return levels.permute(0, 2, 3, 1).contiguous().numpy()
