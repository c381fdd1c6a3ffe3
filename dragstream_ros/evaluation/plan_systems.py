"""The ways to decide on a drag that are compared: with predictions, without, and with the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dragstream_ros.core.drag import DragCommand
from dragstream_ros.core.rollout import Control
from dragstream_ros.core.stream import DragStream, StreamConfig
from dragstream_ros.core.world_model import WorldModel
from dragstream_ros.evaluation.metrics import moving_pixels
from dragstream_ros.evaluation.plan_cases import IMAGE_SIZE, PlanCase
from dragstream_ros.lanes import Lanes
from dragstream_ros.masks.once_per_picture import OncePerPicture
from dragstream_ros.masks.touched_region import touched_region
from dragstream_ros.planning.candidates import Idea
from dragstream_ros.planning.cross_entropy import CrossEntropyConfig
from dragstream_ros.planning.future import Future
from dragstream_ros.planning.goal_distance import PlanningGoal
from dragstream_ros.planning.planner import Futures, Plan, Planner, PlannerConfig
from dragstream_ros.planning.stream_futures import StreamFutures

SPREAD_PX = 14.0  # the planner knows what to grab, and nothing of where to


@dataclass(frozen=True, kw_only=True, eq=False)
class Decision:
    """What was chosen; plan: how, None without a search."""

    command: DragCommand
    plan: Plan | None = None


# From a world model, its lanes, a case and a seed to what to do.
System = Callable[[WorldModel, Lanes, PlanCase, int], Decision]


class SimulatedFutures:
    """The simulator as a perfect model: the candidates are really carried out, and taken back."""

    def __init__(self, case: PlanCase) -> None:
        self._case = case

    def __call__(self, commands: Sequence[DragCommand]) -> list[Future]:
        return [self._future(index, command) for index, command in enumerate(commands)]

    def _future(self, index: int, command: DragCommand) -> Future:
        picture, end_px = self._case.carry_out(command)
        asked = command.handles[0].path_px[None, -1:]
        changed = moving_pixels(picture[None], self._case.past[-1])[0]
        return Future(
            candidate=index, frames=picture[None], offsets_secs=np.array([command.duration_secs]),
            confidence=np.ones(1), asked_px=asked, followed_px=end_px[None, None],
            found=np.ones((1, 1), bool), moved=changed, swept=changed)


def _planned(control: Control | None, candidates: int) -> System:
    """Search with predictions; control None: with the simulator."""
    def decide(world_model: WorldModel, lanes: Lanes, case: PlanCase, seed: int) -> Decision:
        futures: Futures = SimulatedFutures(case)
        if control is not None:
            stream = DragStream(world_model, None, StreamConfig(control=control, seed=seed),
                                grow=OncePerPicture(touched_region))
            stream.reset(case.past, case.stamps_ns())
            futures = StreamFutures(stream, case.past[-1], lanes=lanes)
        plan = _search(futures, case, candidates, seed)
        return Decision(command=plan.best.command, plan=plan)

    return decide


def _search(futures: Futures, case: PlanCase, candidates: int, seed: int) -> Plan:
    planner = Planner(futures, image_size=IMAGE_SIZE, config=PlannerConfig(
        search=CrossEntropyConfig(candidates=candidates, rounds=3 if candidates < 32 else 4),
        seed=seed + case.seed))
    goal = PlanningGoal(image=case.goal_image, start=case.past[-1])
    return planner.plan(
        [Idea(grab_px=case.grab_px, target_px=case.grab_px, spread_px=SPREAD_PX,
              holds_px=case.holds_px)], goal)


def _straight(world_model: WorldModel, lanes: Lanes, case: PlanCase, seed: int) -> Decision:
    return Decision(command=case.drag_to(case.goal_px))


SYSTEMS: dict[str, System] = {
    'conditioned_16': _planned('conditioned', 16),
    'conditioned_64': _planned('conditioned', 64),
    'guidance_16': _planned('guidance', 16),
    'guidance_64': _planned('guidance', 64),
    'straight': _straight,
    'simulator_16': _planned(None, 16),
    'simulator_64': _planned(None, 64),
}
# What is tried together in one go through all scenes, the quickest first: who has not the time for
# all of them has some of every scene.
PASSES = (
    ('conditioned_16', 'straight', 'simulator_16', 'simulator_64'),
    ('conditioned_64',),
    ('guidance_16',),
    ('guidance_64',),
)
QUICK_PASSES = (('conditioned_16', 'straight', 'simulator_16'),)


def random_of(plan: Plan, rng: np.random.Generator) -> DragCommand:
    """Any of the candidates that a search began with, before it knew anything of them."""
    first = [item.command for item in plan.tried if item.round == 0]
    return first[int(rng.integers(1, len(first)))]      # the first is to leave it where it is
