"""The tabletop in whatever form this machine can show it: live, or from the bundled recording."""

from __future__ import annotations

import logging
from typing import Protocol

import numpy as np

from dragstream_ros.simulation.camera import Intrinsics
from dragstream_ros.simulation.no_graphics import NoGraphics
from dragstream_ros.simulation.recorded import RecordedTabletop
from dragstream_ros.simulation.truth import Thing, Truth

log = logging.getLogger(__name__)

SOURCES = ('auto', 'mujoco', 'recorded')


class Tabletop(Protocol):
    """What the live scene and the recorded one have in common; use from one thread."""

    things: list[Thing]
    point_thing: np.ndarray

    @property
    def description(self) -> str:
        """One line for people: where the pictures come from."""

    @property
    def image_size(self) -> tuple[int, int]:
        """(width, height) of what ``render`` gives."""

    @property
    def intrinsics(self) -> Intrinsics: ...

    @property
    def time_secs(self) -> float: ...

    def step(self, dt_secs: float) -> None: ...

    def render(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""

    def truth(self) -> Truth: ...

    def look_ahead(self, secs: float, *, rate_hz: float = 10.0) -> tuple[np.ndarray, np.ndarray]:
        """Offsets (N,) seconds and the ground-truth points (N, P, 2) pixels then."""

    def close(self) -> None: ...


def open_tabletop(
        seed: int, *, source: str = 'auto', image_size: tuple[int, int] = (256, 256)) -> Tabletop:
    """A tabletop from ``source``: mujoco | recorded | auto, which takes what works.

    Its ``description`` says which one it is. ``image_size`` is (width, height). Raises NoGraphics
    for 'mujoco' where that cannot be had, ValueError for another word.
    """
    if source not in SOURCES:
        raise ValueError(f'The source {source!r} is none of {", ".join(SOURCES)}.')
    if source != 'recorded':
        try:
            return _open_live(seed, image_size)
        except NoGraphics as error:
            if source == 'mujoco':
                raise
            log.warning('%s Showing the recorded tabletop.', error)
    return RecordedTabletop(seed, image_size=image_size)


def _open_live(seed: int, image_size: tuple[int, int]) -> Tabletop:
    try:
        # MuJoCo is an optional extra, hence the imports here.
        from dragstream_ros.simulation.renderer import graphics_backend
        from dragstream_ros.simulation.scene import TabletopScene
    except ImportError as error:
        raise NoGraphics(
            f"{error}; pip install 'mujoco>=3.3,<4' brings the live tabletop.") from error
    graphics_backend()
    return TabletopScene(seed, image_size=image_size)
