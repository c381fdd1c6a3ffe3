"""Times the parts that a streamed chunk is made of: passes, guidance, encoder and decoders."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode
from dragstream_ros.core.drag_guidance import DragGuidance, DragGuidanceConfig, Reference
from dragstream_ros.core.frequency_selection import FrequencySelectionConfig
from dragstream_ros.core.world_model import Conditions, Denoised
from dragstream_ros.evaluation.gpu_clock import median_secs
from dragstream_ros.evaluation.gpu_model import RandomWan
from dragstream_ros.evaluation.table_film import camera_frames
from dragstream_ros.world_models.wan.compiled import random_pages
from dragstream_ros.world_models.wan.config import FRAMES_PER_LATENT, WanConfig
from dragstream_ros.world_models.wan.context import Page, WanContext
from dragstream_ros.world_models.wan.model import VideoDecoder
from dragstream_ros.world_models.wan.self_forcing import SelfForcingWorldModel

VARIANTS = ('fast', 'code', 'naive')
SHORT, LONG = 1, 4      # iterations; the difference of the two times is free of what is done once
DRAG_SHARE = 0.25       # of the picture's width


class NaiveWan:
    """The world model as first written: copies the cache and runs all blocks, every time."""

    def __init__(self, world_model: SelfForcingWorldModel) -> None:
        self._world_model = world_model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world_model, name)

    def denoise(self, x: torch.Tensor, step: int, conditions: Conditions,
                taps: Sequence[int] = (), stop_after_taps: bool = False) -> Denoised:
        context = conditions.context
        pages = tuple(Page(page.keys.clone(), page.values.clone()) for page in context.pages)
        copied = replace(conditions, context=replace(context, pages=pages))
        return self._world_model.denoise(x, step, copied, taps)


@dataclass(frozen=True)
class TransformerTimes:
    """Seconds.  commit_latent: of one latent frame of the camera; guide: a chunk's, as configured.

    iterations: by variant of guidance.
    """

    denoise: float
    commit: float
    commit_latent: float
    guide: float
    iterations: dict[str, float]


@dataclass(frozen=True)
class AutoencoderTimes:
    """Seconds for as many frames as a chunk has."""

    encode: float
    decode_wan: float
    decode_tiny: float


def time_transformer(model: SelfForcingWorldModel, *, repeats: int) -> TransformerTimes:
    """Time passes and guidance over a full window."""
    device = model.wan.prompt.device
    context = full_context(model)
    x = torch.randn(model.config.latents_per_chunk, *model.latent_shape, device=device)
    conditions = model.condition(context, camera_frame(model))

    def timed(work: Callable[[], object]) -> float:
        return median_secs(work, device, repeats=repeats)

    with torch.no_grad():
        denoise = timed(lambda: model.denoise(x, 0, conditions))
        commit = timed(lambda: model.commit(x, context))
        commit_latent = timed(lambda: model.commit(x[:1], context))
    iterations = {}
    for variant in VARIANTS:
        profile = model.profiles['fast' if variant == 'fast' else 'code']
        guided: Any = NaiveWan(model) if variant == 'naive' else model
        short, long = (timed(partial(_guide, guided, _once(profile, count), x, conditions))
                       for count in (SHORT, LONG))
        iterations[variant] = (long - short) / (LONG - SHORT)
    guide = timed(partial(_guide, model, model.profiles['fast'], x, conditions))
    return TransformerTimes(denoise, commit, commit_latent, guide, iterations)


def time_autoencoder(parts: RandomWan, config: WanConfig, *, repeats: int) -> AutoencoderTimes:
    """Time encoder and decoders in the middle of a stream."""
    device = parts.prompt.device
    width, height = config.image_size
    frames = torch.rand(FRAMES_PER_LATENT * config.latents_per_chunk, 3, height, width,
                        device=device)
    latents = torch.randn(config.latents_per_chunk, *config.latent_shape, device=device)
    times = []
    with torch.no_grad():
        _, encoded = parts.autoencoder.encode(frames[:1])
        times.append(median_secs(lambda: parts.autoencoder.encode(frames, encoded), device,
                                 repeats=repeats))
        decoders: tuple[VideoDecoder, ...] = (parts.autoencoder, parts.tiny)
        for decoder in decoders:
            _, state = decoder.decode(latents)
            times.append(median_secs(partial(decoder.decode, latents, state), device,
                                     repeats=repeats))
    return AutoencoderTimes(*times)


def full_context(model: SelfForcingWorldModel) -> WanContext:
    """Return a context whose window is full, of random pages."""
    _, context = model.take(camera_frame(model)[None], model.empty_context())
    return replace(context, pages=random_pages(model.wan, model.config.past_latents))


def camera_frame(model: SelfForcingWorldModel) -> np.ndarray:
    frame, _ = next(camera_frames(model.image_size, rate_hz=1.0))
    return frame


def long_drag(image_size: tuple[int, int], duration_secs: float) -> DragCommand:
    """A drag of the picture's middle to the right."""
    start = np.array(image_size, np.float64) / 2
    return DragCommand(
        drag_id='bench', operator_id='bench', mode=DragMode.ANIMATE, image_size=image_size,
        handles=(DragHandle(path_px=np.stack([start, start + (DRAG_SHARE * image_size[0], 0)]),
                            radius_px=image_size[1] / 10),),
        stamp_ns=0, duration_secs=duration_secs)


def _once(profile: DragGuidanceConfig, iterations: int) -> DragGuidanceConfig:
    """So many iterations in one segment, all with one variant of the reference."""
    return replace(profile, iterations_per_segment=iterations, max_segments=1,
                   frequency=FrequencySelectionConfig(cutoffs=(None,)))


def _guide(model: Any, config: DragGuidanceConfig, x: torch.Tensor,
           conditions: Conditions) -> torch.Tensor:
    count = len(x)
    return DragGuidance(model, config).optimise(
        x, conditions, Reference(x, x, conditions),
        long_drag(model.image_size, float(count)), np.arange(count + 1.0), neighbours=x, seed=0)
