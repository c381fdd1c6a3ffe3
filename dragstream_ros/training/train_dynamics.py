"""Fit the chunk denoiser by teacher forcing: clean context frames, noisy chunks, one pass each.

A clip is one sink frame from anywhere before, then consecutive frames: some of context, and two
chunks.  Both chunks are denoised, each from the clean frames before it and the first guess that the
trained flow makes of it.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch.nn import functional

from dragstream_ros.core.held import Held
from dragstream_ros.training.device import DEVICE, autocast
from dragstream_ros.training.episodes import Episode, draw_lively
from dragstream_ros.training.loop import Loop
from dragstream_ros.training.pictures import Strips
from dragstream_ros.training.sample_drags import (
    DragSampling,
    chunk_maps,
    sample_handles,
    sample_held,
)
from dragstream_ros.world_models.tabletop.dynamics import ChunkDenoiser, attend, flat
from dragstream_ros.world_models.tabletop.model import TabletopWorldModel
from dragstream_ros.world_models.tabletop.seen_picture import SeenPicture


@dataclass(frozen=True)
class DynamicsTraining:
    """What is noised is the guess, as in a prediction, or lies between it and the truth.

    The latter teaches that a chunk which differs from its guess by more than noise means it: so
    guidance can move it.
    """

    steps: int = 3500
    batch: int = 4
    learning_rate: float = 1e-3
    sigmas: tuple[float, float] = (0.3, 0.7)
    from_guess: float = 0.5         # of chunks: the guess itself
    with_regions: float = 0.8       # of dragged clips: what is held is known, and put in its place
    context_noise: float = 0.15     # at most; against drift when the context is the model's own
    moving_weight: float = 4.0      # of cells that change, against 1
    thing_weight: float = 3.0       # of cells on grippers and objects, against 1
    drags: DragSampling = DragSampling()


@dataclass
class Clips:
    """B clips of 1 sink frame and n frames, cut into context and two chunks."""

    sink: torch.Tensor          # (B, 3, C, h, w): the sink frame and the two before it
    frames: torch.Tensor        # (B, 2 + n, C, h, w): consecutive, two before the first
    maps: torch.Tensor          # (B, 2 * F, 6, h, w)
    newest: np.ndarray          # (B, 2, H, W, 3) uint8: the frame before each chunk
    held: list[Held | None]     # 2 * B, of each chunk, clip after clip
    weight: torch.Tensor        # (B, 2 * F, 1, h, w)


def draw_clips(latents: Sequence[torch.Tensor], episodes: Sequence[Episode],
               config: DynamicsTraining, rng: np.random.Generator, context: int,
               chunk: int) -> Clips:
    """Draw clips with ``context`` consecutive frames before the first chunk."""
    n = context + 2 * chunk
    size, image = latents[0].shape[-1], episodes[0].frames.shape[1]
    sinks, frames, maps, weights, newest, held = [], [], [], [], [], []
    for _ in range(config.batch):
        e, t = draw_lively(latents, n, rng)
        episode = episodes[e]
        s = t - 1 if rng.random() < 0.5 else int(rng.integers(t))
        sinks.append(latents[e][np.maximum([s, s - 1, s - 2], 0)])
        frames.append(latents[e][np.maximum(np.arange(t - 2, t + n), 0)])
        first = t + context
        tracks = sample_handles(episode.tracks(first - 1, 1 + 2 * chunk), config.drags, rng)
        maps.append(torch.cat([chunk_maps(tracks[i:i + chunk + 1], size, image)
                               for i in (0, chunk)]))
        newest.append(episode.frames[[first - 1, first - 1 + chunk]])
        regions = rng.random() < config.with_regions
        held += [sample_held(episode, first - 1 + i, tracks[i:i + chunk + 1], rng)
                 if regions else None for i in (0, chunk)]
        mask = torch.from_numpy(np.stack([
            episode.things(i) for i in range(first, first + 2 * chunk)])).float()
        weights.append(functional.avg_pool2d(mask[:, None], image // size))
    sink, known, told, weight = (
        torch.stack(parts).float().to(DEVICE) for parts in (sinks, frames, maps, weights))
    clips = Clips(sink, known, told, np.stack(newest), held, weight)
    change = (clips.frames[:, -2 * chunk:] - clips.frames[:, 1 + context, None]).abs()
    clips.weight = (1 + (config.thing_weight - 1) * clips.weight.clamp(0, 0.5) * 2
                    + config.moving_weight * change.mean(2, keepdim=True).clamp(0, 1))
    return clips


@torch.no_grad()
def guess_clips(model: TabletopWorldModel, clips: Clips) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the first guesses of both chunks of every clip, (B, 2 * F, C, h, w).

    And how much of each cell is open, (B, 2 * F, 1, h, w) in 0..1: all but what is settled.  As
    where no thing is known: there it has most to do.
    """
    chunk, size = model.frames_per_chunk, model.latent_shape[1:]
    guesses, opened = [], []
    for clip, (frames, maps, newest) in enumerate(zip(
            clips.frames, clips.maps, clips.newest, strict=True)):
        for i in (0, 1):
            at = len(frames) - (2 - i) * chunk - 1
            first = model.first_guess(
                frames[[at, at - 1]], newest[i], maps[None, i * chunk:(i + 1) * chunk],
                clips.held[2 * clip + i], partial(SeenPicture.of, newest[i]))
            guesses.append(model.autoencoder.encode(first.frames))
            opened.append(1 - functional.adaptive_avg_pool2d(first.settled, size))
    batch = (len(clips.frames), -1)
    return torch.cat(guesses).unflatten(0, batch), torch.cat(opened).unflatten(0, batch)


def denoise_clips(net: ChunkDenoiser, clips: Clips, x: torch.Tensor, sigma: torch.Tensor,
                  guess: torch.Tensor, context_noise: torch.Tensor) -> torch.Tensor:
    """Estimate both chunks of every clip at once.

    x: (B, 2 * F, C, h, w) noisy chunks; sigma: (B, 2 * F); guess: (B, 2 * F, C, h, w).
    context_noise: (B, 1, 1, 1, 1), standard deviation of the noise on what the model knows.
    """
    chunk = net.config.frames_per_chunk
    context = clips.frames.shape[1] - 2 - 2 * chunk
    noisy = clips.frames + context_noise * torch.randn_like(clips.frames)
    sink = clips.sink + context_noise * torch.randn_like(clips.sink)
    clean_count = 1 + context + chunk               # the last chunk is nobody's context
    clean = torch.cat([sink[:, :1], noisy[:, 2:2 + context + chunk]], 1)
    clean_known = torch.cat([
        sink[:, 1:].flatten(1, 2)[:, None],
        torch.cat([noisy[:, 1:1 + context + chunk], noisy[:, :context + chunk]], 2)], 1)
    known = torch.stack([noisy[:, [i, i - 1]].flatten(1, 2)
                         for i in (1 + context, 1 + context + chunk)], 1)
    known = known.repeat_interleave(chunk, 1)

    batch = len(x)
    index = torch.arange(chunk, device=x.device)
    clean_embedding = net.embed(x.new_zeros(batch, clean_count),
                                index.new_full((clean_count,), chunk))
    embedding = net.embed(sigma, index.repeat(2))
    clean_tokens, _ = net.encode_frames(clean, clean_known, clean_embedding)
    tokens, begin = net.encode_frames(x, known, embedding, clips.maps, guess)
    per_frame = net.config.grid ** 2
    causal = torch.ones(clean_count, clean_count, dtype=torch.bool, device=x.device).tril()
    causal = causal.repeat_interleave(per_frame, 0).repeat_interleave(per_frame, 1)
    rotate, starts = net.rotary.rotate, (1 + context, 1 + context + chunk)
    slots = torch.cat([torch.arange(start, start + chunk) for start in starts])
    for block in net.attention_blocks:
        cq, ck, cv = block.project(clean_tokens, clean_embedding)
        cq, ck, cv = (flat(rotate(cq, slice(clean_count))), flat(rotate(ck, slice(clean_count))),
                      flat(cv))
        q, k, v = block.project(tokens, embedding)
        q, k = rotate(q, slots), rotate(k, slots)
        attended = []
        for i, start in enumerate(starts):
            own, past = slice(i * chunk, (i + 1) * chunk), start * per_frame
            attended.append(attend(
                flat(q[:, own]), torch.cat([ck[:, :, :past], flat(k[:, own])], 2),
                torch.cat([cv[:, :, :past], flat(v[:, own])], 2)))
        out = torch.cat(attended, 1).unflatten(1, (2 * chunk, per_frame))
        tokens = block.finish(tokens, out, embedding)
        if block is not net.attention_blocks[-1]:
            out = attend(cq, ck, cv, causal)
            clean_tokens = block.finish(clean_tokens, out.unflatten(1, (clean_count, per_frame)),
                                        clean_embedding)
    return net.decode_frames(tokens, begin, embedding)


def train_dynamics(model: TabletopWorldModel, latents: Sequence[torch.Tensor],
                   episodes: Sequence[Episode], config: DynamicsTraining, loop: Loop) -> None:
    """Fit the denoiser of a model whose autoencoder and flow are trained."""
    rng, net = loop.rng, model.dynamics
    chunk, window = net.config.frames_per_chunk, net.config.window
    shown = draw_clips(latents, episodes, replace(config, batch=2), np.random.default_rng(1),
                       window - chunk, chunk)
    shown_guess, _ = guess_clips(model, shown)

    def pictures() -> Strips:
        clean = torch.zeros(2, 1, 1, 1, 1, device=DEVICE)
        sigma = torch.full(shown_guess.shape[:2], model.sigmas[0], device=DEVICE)
        noisy = shown_guess.lerp(torch.randn_like(shown_guess), model.sigmas[0])
        x0 = denoise_clips(net, shown, noisy, sigma, shown_guess, clean)
        return {name: torch.stack([model.autoencoder.decode(clip) for clip in latents])
                for name, latents in (('truth', shown.frames[:, -2 * chunk:]),
                                      ('guess', shown_guess), ('prediction', x0))}

    for _ in loop.steps(net, steps=config.steps, learning_rate=config.learning_rate,
                        pictures=pictures):
        context = window - chunk if rng.random() < 0.7 else int(rng.integers(1, window - chunk))
        clips = draw_clips(latents, episodes, config, rng, context, chunk)
        guess, opened = guess_clips(model, clips)
        target = clips.frames[:, -2 * chunk:]
        sigma = torch.from_numpy(rng.uniform(*config.sigmas, (config.batch, 2))).float()
        towards = torch.from_numpy(np.where(
            rng.random((config.batch, 2)) < config.from_guess, 0.0,
            rng.random((config.batch, 2)))).float()
        sigma, towards = (t.repeat_interleave(chunk, 1).to(DEVICE) for t in (sigma, towards))
        clean = guess.lerp(target, towards[:, :, None, None, None])
        level = sigma[:, :, None, None, None]
        x = (1 - level) * clean + level * torch.randn_like(target)
        context_noise = config.context_noise * torch.rand(config.batch, 1, 1, 1, 1, device=DEVICE)
        with autocast():
            x0 = denoise_clips(net, clips, x, sigma, guess, context_noise).float()
        error = (x0 - target) ** 2
        # Pseudo-Huber: where the future is open, nearer to one of its ways than to their mean.
        loss = (clips.weight * opened * ((error + 0.01).sqrt() - 0.1)).mean()
        with torch.no_grad():
            copied = ((clips.frames[:, 1 + context, None] - target[:, :chunk]) ** 2).mean()
            guessed = ((guess - target)[:, :chunk] ** 2).mean()
            mse = error[:, :chunk].mean()
        loop.update(loss, mse=mse, guess_mse=guessed, copy_mse=copied)
