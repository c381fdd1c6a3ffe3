"""How well a scene was predicted: picture by picture, and what is left of its objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dragstream_ros.evaluation.colour_area import LEAST_AREA_PX, SceneObjects
from dragstream_ros.evaluation.drag_score import AREA_TOLERANCE
from dragstream_ros.evaluation.held_out_scenes import Scene, frame_index
from dragstream_ros.evaluation.paint_over import paint_over
from dragstream_ros.evaluation.picture_quality import PictureQuality, judge_picture

LOST_BELOW = 0.5    # of an object's area: with less of it in the picture, it is gone


@dataclass(frozen=True, kw_only=True)
class ObjectScore:
    """One object in the last predicted picture; areas are counted by its colours.

    area_ratio: its area over that in the true picture. is_lost: less than half is there of what is
    truly seen at both the start and the end.
    """

    label: int
    area_ratio: float
    is_lost: bool

    @property
    def kept_area(self) -> bool:
        """Its area is within 30 % of the truth."""
        return abs(self.area_ratio - 1) <= AREA_TOLERANCE


@dataclass(frozen=True, kw_only=True)
class SceneScore:
    """Of one scene, by system and yardstick.

    quality: at each of the times, of 'all' and of 'moving' pixels. objects: of those that are seen
    at both ends and can be counted; n_seen: how many are seen. measure_errors: of each counted
    object, in the true picture half-way: its growth since the start by counting, over that by the
    true masks, less 1. is_caused: nothing goes its way by itself, grippers move all that moves.
    """

    quality: dict[str, list[dict[str, PictureQuality]]]
    objects: dict[str, list[ObjectScore]]
    n_seen: int
    measure_errors: list[float]
    is_caused: bool


def score_scene(
        scene: Scene, frames: Mapping[str, np.ndarray], times_secs: Sequence[float]) -> SceneScore:
    """Score each system's (F, H, W, 3) uint8 RGB against what really happened.

    Of objects there is one more yardstick: 'painted_over', the true picture without them.
    """
    start, end = scene.past[-1], scene.future[-1]
    indices = [frame_index(secs) for secs in times_secs]
    objects = SceneObjects(np.stack([start, end]), scene.masks[[0, -1]], scene.objects)
    pictures = {name: system[-1] for name, system in frames.items()}
    pictures['painted_over'] = paint_over(end, np.isin(scene.masks[-1], scene.objects))
    return SceneScore(
        quality={
            name: [judge_picture(system[index], scene.future[index], start) for index in indices]
            for name, system in frames.items()},
        objects={name: _score_objects(objects, picture, start, end)
                 for name, picture in pictures.items()},
        n_seen=objects.n_seen,
        measure_errors=_measure_errors(objects, scene),
        is_caused=not scene.sliding)


def _score_objects(
        objects: SceneObjects, picture: np.ndarray, start: np.ndarray,
        end: np.ndarray) -> list[ObjectScore]:
    areas_px, at_start_px, at_end_px = (
        objects.areas_px(shown) for shown in (picture, start, end))
    lost = areas_px < LOST_BELOW * np.minimum(at_start_px, at_end_px)
    return [
        ObjectScore(label=label, area_ratio=float(ratio), is_lost=bool(is_lost))
        for label, ratio, is_lost in zip(objects.labels, areas_px / at_end_px, lost)]


def _measure_errors(objects: SceneObjects, scene: Scene) -> list[float]:
    middle = len(scene.future) // 2
    counted = objects.areas_px(scene.future[middle - 1]) / objects.areas_px(scene.past[-1])
    true_px = np.array([(scene.masks[[0, middle]] == label).sum((1, 2))
                        for label in objects.labels]).reshape(-1, 2)
    # An object that hides half-way has no area to compare with.
    seen = true_px[:, 1] >= LEAST_AREA_PX
    return (counted[seen] * true_px[seen, 0] / true_px[seen, 1] - 1).tolist()
