"""What this computer gives up where it cannot keep up with the world model.

The rule, where a second of computing makes less than a second of video: a lighter form of the world
model, if it has one; then, while something is dragged with the profile `fast`, fewer iterations of
guidance. What is slower all the same is told, and what is slower than `min_speed` is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from dragstream_ros.core.drag_guidance import DragGuidanceConfig
from dragstream_ros.core.memory import within_memory
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.worker.protocol import FromWorker, Problem, Speed, StreamSettings
from dragstream_ros.worker.speed_test import Costs, DragCosts, SpeedTest

REAL_TIME = 1.0     # seconds of video per second of computing
NO_MEMORY = ('The memory ran out while a lighter form of the world model was made; set keep_up to '
             'false, or take a smaller model, picture or window.')
SPARED_PROFILE = 'fast'     # the others are as published, however long they take


@dataclass(frozen=True, kw_only=True)
class PaceConfig:
    """keep_up: give up what the rule says. min_speed: seconds of video per second of computing."""

    keep_up: bool = True
    min_speed: float = 0.0


def affordable_iterations(costs: Costs, drag: DragCosts, wanted: int) -> int:
    """How many iterations of guidance a chunk can have in real time: at most as wanted, or one."""
    for iterations in range(wanted, 1, -1):
        if costs.speed(drag.secs(iterations)) >= REAL_TIME:
            return iterations
    return min(wanted, 1)


class Pace:
    """Measures a world model and makes it keep up.

    world_model: to be used from now on, the lighter one where the rule says so.
    """

    def __init__(
        self, world_model: Any, config: PaceConfig, alive: Callable[[], None] = lambda: None,
        speed_test: Callable[..., SpeedTest] = SpeedTest,
    ) -> None:
        """Time it.

        :raises DragStreamError: TOO_SLOW, OUT_OF_MEMORY
        """
        self._config = config
        self._news: list[FromWorker] = []
        self._told = ''
        self._given_up: list[str] = []

        def use(model: Any) -> None:
            self.world_model, self._test = model, speed_test(model, alive)
            self._costs = self._test.costs()

        use(world_model)
        speed = self._costs.speed()
        if speed < REAL_TIME and config.keep_up and hasattr(world_model, 'lighter'):
            lighter = within_memory(lambda: world_model.lighter(speed), NO_MEMORY)
            if lighter is not None:
                self._given_up.append(lighter.given_up)
                use(lighter)
                speed = self._costs.speed()
        if speed < config.min_speed:
            raise DragStreamError(
                ErrorCode.TOO_SLOW,
                f'This computer makes {speed:.2g} s of video a second, and min_speed asks for '
                f'{config.min_speed:g}: take a smaller model or picture, or lower min_speed.')
        self._timed: tuple[bool, DragCosts] | None = None   # whether guided, and what it costs

    def guidance(self, settings: StreamSettings) -> DragGuidanceConfig:
        """The settings' profile as this computer can afford it; news() says what that means.

        Timed is the first way to follow drags that is asked for, which is when the model is loaded;
        an iteration costs about the same in every profile.
        """
        profile: DragGuidanceConfig = self.world_model.profiles[settings.profile]
        guided = settings.control == 'guidance' or not self.world_model.follows_maps
        if self._timed is None:
            self._timed = guided, self._test.drag_costs(self._costs, profile, guided=guided)
        timed_guided, drag = self._timed
        if timed_guided != guided:  # a running stream is not kept waiting for a timed pass
            return profile
        wanted = profile.iterations_per_segment * profile.max_segments if guided else 0
        iterations, given_up = wanted, list(self._given_up)
        if self._config.keep_up and settings.profile == SPARED_PROFILE:
            iterations = affordable_iterations(self._costs, drag, wanted)
        if iterations < wanted:
            given_up.append(f'iterations of guidance {wanted} -> {iterations}')
            segments = min(profile.max_segments, iterations)
            profile = replace(
                profile, max_segments=segments, iterations_per_segment=iterations // segments)
        self._tell(self._costs.speed(drag.secs(iterations)), given_up)
        return profile

    def news(self) -> list[FromWorker]:
        """What there is to tell since the last time."""
        news, self._news = self._news, []
        return news

    def _tell(self, dragged: float, given_up: list[str]) -> None:
        undragged = self._costs.speed()
        sentence = (f'This computer makes {undragged:.2g} s of video a second, {dragged:.2g} while '
                    'something is dragged')
        slow = min(undragged, dragged) < REAL_TIME
        if given_up:
            sentence += f'; to keep up it gave up: {", ".join(given_up)}'
        if slow:
            sentence += ('; that is slower than real time: predictions come late, take a faster '
                         'profile or a smaller model or picture')
        if sentence == self._told:
            return
        self._told = sentence
        self._news.append(Speed(undragged=undragged, dragged=dragged))
        if slow or given_up:
            self._news.append(Problem(code=ErrorCode.WORKER_SLOW, sentence=f'{sentence}.'))
