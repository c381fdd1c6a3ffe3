"""Held-out scenes with a goal image: something is to be where the simulated robot can bring it.

The list is a function of the seeds alone. Training stops short of FIRST_SEED, so no model has seen
these scenes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dragstream_ros.core.drag import DragCommand
from dragstream_ros.evaluation.drag_cases import FIRST_SEED, FRAME_RATE_HZ, PALM_POINT
from dragstream_ros.planning.candidates import smooth_drag
from dragstream_ros.simulation.scene import TabletopScene
from dragstream_ros.simulation.world import World

NS = 1_000_000_000
IMAGE_SIZE = (128, 128)
MARGIN_PX = 8.0


@dataclass(frozen=True, kw_only=True)
class PlanCaseConfig:
    """Which scenes; lengths in px of a 128 px picture.

    first_seed: beyond those of the other benchmarks. busy_secs: the robot works, then it
    rests for past_frames, which a predictor is shown. settle_secs: after a drag, until it is looked
    at. least_way_px, most_way_px: from the grabbed point to the goal.
    """

    scenes: int = 50
    first_seed: int = FIRST_SEED + 500_000
    busy_secs: float = 2.0
    past_frames: int = 10
    drag_secs: float = 1.0
    settle_secs: float = 0.3
    least_way_px: float = 10.0
    most_way_px: float = 26.0


class PlanCase:
    """One scene at rest, and a goal. Use it before the next one is made, or close it.

    past: (10, H, W, 3) uint8 RGB, the last one is now. grab_px: (2,), a point of the thing, which
    goal_image (H, W, 3) shows at goal_px: the goal was reached by a drag. holds_px: (k, 2), palms
    in sight that are not dragged; a robot knows that it rests its other hand.
    """

    def __init__(
        self, seed: int, scene: TabletopScene, *, point: int, past: np.ndarray,
        config: PlanCaseConfig,
    ) -> None:
        truth = scene.truth()
        thing = scene.things[scene.point_thing[point]]
        self.seed, self.thing, self.kind = seed, thing.name, thing.kind
        self.past = past
        self.grab_px = truth.points_px[point].astype(np.float64)
        self.holds_px = np.array([
            truth.points_px[palm] for palm in _palms(scene)
            if truth.point_visible[palm] and scene.point_thing[palm] != scene.point_thing[point]
        ]).reshape(-1, 2)
        self._scene, self._point, self._config = scene, point, config
        self._start: World = scene.snapshot()
        self.goal_image, self.goal_px = self.past[-1], self.grab_px

    @property
    def name(self) -> str:
        """Seed and thing."""
        return f'{self.seed}/{self.thing}'

    @property
    def way_px(self) -> float:
        """How far the point has to go."""
        return float(np.linalg.norm(self.goal_px - self.grab_px))

    def stamps_ns(self) -> list[int]:
        """Stamps of the past."""
        return [round(index / FRAME_RATE_HZ * NS) for index in range(len(self.past))]

    def carry_out(self, command: DragCommand) -> tuple[np.ndarray, np.ndarray]:
        """Do a drag and look: the picture, and where the point is (2,); then wind back."""
        self._scene.rewind(self._start)
        self._scene.carry_out(command)
        self._scene.step(self._config.drag_secs + self._config.settle_secs)
        picture = self._scene.render()
        end_px = self._scene.truth().points_px[self._point].astype(np.float64)
        self._scene.rewind(self._start)
        return picture, end_px

    def go_on(self, command: DragCommand) -> None:
        """Do a drag for good: from now on it is from there that the goal has to be reached."""
        self._scene.rewind(self._start)
        self._scene.carry_out(command)
        self._scene.step(self._config.drag_secs + self._config.settle_secs)
        self.past = film(self._scene, self._config.past_frames)
        self.grab_px = self._scene.truth().points_px[self._point].astype(np.float64)
        self._start = self._scene.snapshot()

    def set_goal(self, rng: np.random.Generator) -> bool:
        """Find a goal by trying drags; False where none brings the thing far enough, in sight."""
        config = self._config
        for _ in range(8):
            angle = rng.uniform(0.0, 2.0 * np.pi)
            way = rng.uniform(config.least_way_px, config.most_way_px)
            target = self.grab_px + way * np.array([np.cos(angle), np.sin(angle)])
            if (target < MARGIN_PX).any() or (target > np.array(IMAGE_SIZE) - MARGIN_PX).any():
                continue
            self.goal_image, self.goal_px = self.carry_out(self.drag_to(target))
            if self.way_px >= config.least_way_px:
                return True
        return False

    def drag_to(self, target_px: np.ndarray) -> DragCommand:
        """The straight drag of the grabbed point."""
        return smooth_drag(self.grab_px, target_px, image_size=IMAGE_SIZE,
                           duration_secs=self._config.drag_secs)


def make_plan_cases(config: PlanCaseConfig = PlanCaseConfig()) -> Iterator[PlanCase]:
    """Go through the scenes, of grippers and objects in turns; raises NoGraphics."""
    made, seed = 0, config.first_seed
    while made < config.scenes:
        scene = TabletopScene(seed, image_size=IMAGE_SIZE)
        try:
            scene.step(config.busy_secs)
            scene.rest()
            past = film(scene, config.past_frames)
            rng = np.random.default_rng([seed, 2])
            point = _point(scene, 'object' if made % 2 else 'gripper', rng)
            if point is not None:
                case = PlanCase(seed, scene, point=point, past=past, config=config)
                if case.set_goal(rng):
                    made += 1
                    yield case
        finally:
            scene.close()
        seed += 1


def film(scene: TabletopScene, count: int) -> np.ndarray:
    """(count, H, W, 3) uint8 RGB, the last one is of when it returns."""
    frames = [scene.render()]
    for _ in range(count - 1):
        scene.step(1 / FRAME_RATE_HZ)
        frames.append(scene.render())
    return np.stack(frames)


def _palms(scene: TabletopScene) -> list[int]:
    return [int(np.flatnonzero(scene.point_thing == thing)[PALM_POINT])
            for thing, described in enumerate(scene.things) if described.kind == 'gripper']


def _point(scene: TabletopScene, kind: str, rng: np.random.Generator) -> int | None:
    """What somebody would grab a thing by that is well in sight: a palm, an object's top."""
    truth = scene.truth()
    places = []
    for thing, described in enumerate(truth.things):
        own = np.flatnonzero(truth.point_thing == thing)
        point = own[PALM_POINT if kind == 'gripper' else 0]
        place = truth.points_px[point]
        inside = (place > MARGIN_PX).all() and (place < np.array(IMAGE_SIZE) - MARGIN_PX).all()
        if described.kind == kind and inside and truth.point_visible[point]:
            x, y = np.rint(place).astype(int)
            if truth.mask[y, x] == thing + 1:
                places.append(int(point))
    return int(rng.choice(places)) if places else None
