"""Short recorded episodes of random scenes: what the bundled world model is trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dragstream_ros.simulation.scene import TabletopScene
from dragstream_ros.simulation.surfaces import Surfaces
from dragstream_ros.simulation.truth import Thing


@dataclass(kw_only=True)
class Episode:
    """T frames of one scene with P tracked points.

    ``frames`` (T, H, W, 3) uint8 RGB; ``stamps_secs`` (T,) float64 from 0; ``points_px`` (T, P, 2)
    float32 (x, y); ``point_visible`` (T, P) bool; ``point_thing`` (P,) int index into ``things``;
    ``masks`` (T, H, W) uint8, 0 background, i + 1 for ``things[i]``; ``sliding``, which of these go
    their way by themselves; ``bare`` (H, W, 3) uint8 RGB, the scene with nothing on the table;
    ``surfaces`` tell the true flow.
    """

    frames: np.ndarray
    stamps_secs: np.ndarray
    points_px: np.ndarray
    point_visible: np.ndarray
    point_thing: np.ndarray
    masks: np.ndarray
    bare: np.ndarray
    things: list[Thing]
    sliding: tuple[int, ...]
    surfaces: Surfaces


def generate_episode(
        seed: int, *, secs: float = 6.0, frame_rate_hz: float = 10.0,
        image_size: tuple[int, int] = (128, 128), aspect: float = 1.0) -> Episode:
    """The episode of ``seed``, always the same.

    ``image_size`` is (width, height); ``aspect`` (width / height) other than the picture's own
    renders a picture of that shape between black bars. Recording starts up to 6 s into the
    script. Raises NoGraphics where nothing can be rendered.
    """
    scene = TabletopScene(seed, image_size=image_size, aspect=aspect)
    try:
        scene.step(float(np.random.default_rng([seed, 1]).uniform(0, 6)))
        count = round(secs * frame_rate_hz)
        frames, truths, shown = [], [], []
        for _ in range(count):
            frames.append(scene.render())
            truths.append(scene.truth())
            shown.append(scene.surfaces())
            scene.step(1 / frame_rate_hz)
        bare = scene.render_bare()
    finally:
        scene.close()
    body, depth_m, poses = (np.stack(parts) for parts in zip(*shown))
    return Episode(
        frames=np.stack(frames), stamps_secs=np.arange(count) / frame_rate_hz,
        points_px=np.stack([truth.points_px for truth in truths]),
        point_visible=np.stack([truth.point_visible for truth in truths]),
        point_thing=scene.point_thing, masks=np.stack([truth.mask for truth in truths]),
        bare=bare, things=scene.things, sliding=scene.sliding,
        surfaces=Surfaces(body=body, depth_m=depth_m, poses=poses, camera=scene.camera,
                          corner_px=scene.picture_corner))
