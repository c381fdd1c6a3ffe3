"""Fit the chunk denoiser by teacher forcing: clean context frames, noisy chunks, one pass each.

A clip is one sink frame from anywhere before, then consecutive frames: three of context, and two
chunks.  Both chunks are denoised, each from the clean frames before it.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from dragstream_ros.training.episodes import EpisodeSet
from dragstream_ros.training.loop import Loop
from dragstream_ros.training.sample_drags import DragSampling, chunk_maps, sample_handles
from dragstream_ros.world_models.tabletop.autoencoder import FrameAutoencoder
from dragstream_ros.world_models.tabletop.carry import carry
from dragstream_ros.world_models.tabletop.dynamics import ChunkDenoiser, attend, flat


@dataclass(frozen=True)
class DynamicsTraining:
    """Noise levels are drawn so that the first step, from pure noise, gets its share."""

    minutes: float = 75.0
    batch: int = 8
    learning_rate: float = 1e-3
    pure_noise: float = 0.4
    least_sigma: float = 0.2
    context_noise: float = 0.15     # at most; against drift when the context is the model's own
    moving_weight: float = 4.0      # of cells that change, against 1
    thing_weight: float = 3.0       # of cells on grippers and objects, against 1
    drags: DragSampling = DragSampling()


@dataclass
class Clips:
    """B clips of 1 sink frame and n frames, cut into context and two chunks.

    history: (B, 2 + n + 1, C, h, w): two frames before the first, then the sink, then the frames.
    """

    sink: torch.Tensor          # (B, 3, C, h, w): the sink frame and the two before it
    frames: torch.Tensor        # (B, 2 + n, C, h, w): consecutive, two before the first
    maps: torch.Tensor          # (B, 2 * F, 6, h, w)
    carried: torch.Tensor       # (B, 2 * F, C, h, w): the frame before each chunk, carried along
    weight: torch.Tensor        # (B, 2 * F, 1, h, w)


def draw_clips(autoencoder: FrameAutoencoder, latents: torch.Tensor, episodes: EpisodeSet,
               config: DynamicsTraining, rng: np.random.Generator, context: int, chunk: int,
               ) -> Clips:
    """Draw clips with ``context`` consecutive frames before the first chunk."""
    n = context + 2 * chunk
    length, size = latents.shape[1], latents.shape[-1]
    image = episodes.frames.shape[2]
    sinks, frames, maps, weights, carried = [], [], [], [], []
    for _ in range(config.batch):
        # Of two clips the livelier one: in half of them hardly anything moves.
        e, t = max(((int(rng.integers(len(latents))), int(rng.integers(1, length - n + 1)))
                    for _ in range(2)), key=lambda clip: _liveliness(latents, clip, n))
        s = t - 1 if rng.random() < 0.5 else int(rng.integers(t))
        sinks.append(latents[e, np.maximum([s, s - 1, s - 2], 0)])
        frames.append(latents[e, np.maximum(np.arange(t - 2, t + n), 0)])
        first = t + context
        span = np.arange(first - 1, first + 2 * chunk)
        tracks = sample_handles(episodes.points_px[e, span], episodes.visible[e, first - 1],
                                episodes.point_thing[e], config.drags, rng)
        maps.append(torch.cat([chunk_maps(tracks[i:i + chunk + 1], size, image)
                               for i in (0, chunk)]))
        newest = episodes.frames[e, np.repeat([first - 1, first - 1 + chunk], chunk)]
        carried.append(_carried(autoencoder, newest, maps[-1]))
        mask = torch.from_numpy(episodes.masks[e, first:first + 2 * chunk] > 0).float()
        weights.append(torch.nn.functional.avg_pool2d(mask[:, None], image // size))
    clips = Clips(torch.stack(sinks).float(), torch.stack(frames).float(), torch.stack(maps),
                  torch.stack(carried), torch.stack(weights))
    change = (clips.frames[:, -2 * chunk:] - clips.frames[:, 1 + context, None]).abs()
    clips.weight = (1 + (config.thing_weight - 1) * clips.weight.clamp(0, 0.5) * 2
                    + config.moving_weight * change.mean(2, keepdim=True).clamp(0, 1))
    return clips


@torch.no_grad()
def _carried(autoencoder: FrameAutoencoder, newest: np.ndarray,
             maps: torch.Tensor) -> torch.Tensor:
    pixels = torch.from_numpy(newest).permute(0, 3, 1, 2).float() / 255
    return autoencoder.encode(carry(pixels, maps) if maps.any() else pixels)


def _liveliness(latents: torch.Tensor, clip: tuple[int, int], frames: int) -> float:
    episode, start = clip
    return float((latents[episode, start + frames - 1] - latents[episode, start]).abs().mean())


def denoise_clips(net: ChunkDenoiser, clips: Clips, x: torch.Tensor, sigma: torch.Tensor,
                  context_noise: torch.Tensor) -> torch.Tensor:
    """Estimate both chunks of every clip at once.

    x: (B, 2 * F, C, h, w) noisy chunks; sigma: (B, 2 * F).
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
    index = torch.arange(chunk)
    clean_embedding = net.embed(torch.zeros(batch, clean_count),
                                torch.full((clean_count,), chunk))
    embedding = net.embed(sigma, index.repeat(2))
    clean_tokens, _ = net.encode_frames(clean, clean_known, clean_embedding)
    carried = clips.carried + context_noise * torch.randn_like(clips.carried)
    tokens, begin = net.encode_frames(x, known, embedding, clips.maps, carried)
    per_frame = net.config.grid ** 2
    causal = torch.ones(clean_count, clean_count, dtype=torch.bool).tril()
    causal = causal.repeat_interleave(per_frame, 0).repeat_interleave(per_frame, 1)
    rotate = net.rotary.rotate
    angles = net.rotary.angles(torch.arange(clean_count + chunk))
    starts = (1 + context, 1 + context + chunk)
    for block in net.attention_blocks:
        cq, ck, cv = (flat(t) for t in block.project(clean_tokens, clean_embedding))
        ck = rotate(ck, angles[:ck.shape[2]])
        q, k, v = block.project(tokens, embedding)
        attended = []
        for i, start in enumerate(starts):
            own, past = slice(i * chunk, (i + 1) * chunk), start * per_frame
            here = angles[past:past + chunk * per_frame]
            attended.append(attend(
                rotate(flat(q[:, own]), here),
                torch.cat([ck[:, :, :past], rotate(flat(k[:, own]), here)], 2),
                torch.cat([cv[:, :, :past], flat(v[:, own])], 2)))
        out = torch.cat(attended, 1).unflatten(1, (2 * chunk, per_frame))
        tokens = block.finish(tokens, out, embedding)
        if block is not net.attention_blocks[-1]:
            out = attend(rotate(cq, angles[:cq.shape[2]]), ck, cv, causal)
            clean_tokens = block.finish(clean_tokens, out.unflatten(1, (clean_count, per_frame)),
                                        clean_embedding)
    return net.decode_frames(tokens, begin, embedding)


def train_dynamics(net: ChunkDenoiser, autoencoder: FrameAutoencoder, latents: torch.Tensor,
                   episodes: EpisodeSet, config: DynamicsTraining, loop: Loop) -> None:
    rng = np.random.default_rng(1)
    autoencoder.eval()
    chunk, window = net.config.frames_per_chunk, net.config.window
    for _ in loop.steps(net, minutes=config.minutes, learning_rate=config.learning_rate):
        context = window - chunk if rng.random() < 0.7 else int(rng.integers(1, window - chunk))
        clips = draw_clips(autoencoder, latents, episodes, config, rng, context, chunk)
        target = clips.frames[:, -2 * chunk:]
        sigma = torch.from_numpy(np.where(
            rng.random((config.batch, 2)) < config.pure_noise, 1.0,
            rng.uniform(config.least_sigma, 1.0, (config.batch, 2)))).float()
        sigma = sigma.repeat_interleave(chunk, 1)
        level = sigma[:, :, None, None, None]
        x = (1 - level) * target + level * torch.randn_like(target)
        context_noise = config.context_noise * torch.rand(config.batch, 1, 1, 1, 1)
        x0 = denoise_clips(net, clips, x, sigma, context_noise)
        error = (x0 - target) ** 2
        # Pseudo-Huber: where the future is open, nearer to one of its ways than to their mean.
        loss = (clips.weight * ((error + 0.01).sqrt() - 0.1)).mean()
        with torch.no_grad():
            copied = ((clips.frames[:, 1 + context, None] - target[:, :chunk]) ** 2).mean()
            mse = error[:, :chunk].mean()
        loop.update(loss, mse=mse, copy_mse=copied)
