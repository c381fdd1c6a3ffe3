"""Predict from a few real frames, as a stream does that has just seen them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dragstream_ros.core.drag import DragCommand
from dragstream_ros.core.drag_guidance import DragGuidanceConfig
from dragstream_ros.core.rollout import Control
from dragstream_ros.core.stream import DragStream, StreamConfig
from dragstream_ros.core.world_model import WorldModel
from dragstream_ros.masks.touched_region import touched_region


def predict_frames(
        world_model: WorldModel, past: np.ndarray, stamps_ns: Sequence[int], count: int,
        command: DragCommand | None = None, *, control: Control = 'conditioned',
        guidance: DragGuidanceConfig | None = None, seed: int = 0) -> np.ndarray:
    """(count, H, W, 3) uint8 RGB: what follows past (T, H, W, 3); undragged without a command.

    guidance: None for the profile 'fast'.
    """
    stream = DragStream(
        world_model, guidance,
        StreamConfig(control=control, horizon_secs=count * world_model.frame_period_secs,
                     seed=seed), grow=touched_region)
    stream.reset(past, stamps_ns)
    if command is not None:
        stream.push_drag(command)
    chunks = []
    while (chunk := stream.step()) is not None:
        chunks.append(chunk.frames)
    return np.concatenate(chunks)[:count]


def predict_edit(
        world_model: WorldModel, past: np.ndarray, stamps_ns: Sequence[int],
        command: DragCommand | None, *, control: Control = 'conditioned',
        guidance: DragGuidanceConfig | None = None, seed: int = 0) -> np.ndarray:
    """(1, H, W, 3) uint8 RGB: the last frame of the first chunk after the past, redone by an edit.

    Without a command, as it was predicted at first. All else as for predict_frames.
    """
    stream = DragStream(world_model, guidance, StreamConfig(control=control, seed=seed),
                        grow=touched_region)
    stream.reset(past, stamps_ns)
    chunk = stream.step()
    if command is not None:
        stream.push_drag(command)
        chunk = stream.step()
    assert chunk is not None, 'a stream that was just reset has something to predict'
    return chunk.frames[-1:]
