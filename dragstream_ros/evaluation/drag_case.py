"""One drag with a known answer: what was seen, what is asked, and what then truly happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode, Operation
from dragstream_ros.simulation.truth import Thing

FRAME_RATE_HZ = 10.0
NS = 1_000_000_000
PALM_POINT = 1  # of a gripper's four points: what one would grab it by
STILL_PX = 1.0  # an object of which no point goes so far within a drag stays put
HAND_RADIUS_PX = 16.0
"""A gripper's arm reaches into the picture from outside, so a gripper is what is visible of it so
near to its palm."""


class Take(Protocol):
    """T frames of a scene and their truth; simulation.episode.Episode says what each is."""

    frames: np.ndarray
    points_px: np.ndarray
    point_visible: np.ndarray
    point_thing: np.ndarray
    masks: np.ndarray
    things: list[Thing]


@dataclass(frozen=True, kw_only=True, eq=False)
class DragCase:
    """One drag of one thing and what really happened.

    drag_class: one of drag_cases.CLASSES. past: (10, H, W, 3) uint8 RGB up to and with the frame
    dragged on; future: (T, H, W, 3), what is to be predicted: the next second, T = 10, or T = 1,
    the frame that is edited. path_px: (1 + T, 2), where the handle point is in the last frame of
    the past and in each of the future. centre_px: (2,) what it is turned about; None: it is moved.
    partner: of two things that are dragged at once the other, with the same frames.
    rest: of a lid or a link the thing that it is a part of, without it, which stays: its path too.
    start_mask (H, W) and future_masks (T, H, W) bool: where the thing is visible; hands only, of a
    gripper. start_whole, future_whole: the same with the arm. start_table, end_table: (H, W) bool,
    where no thing at all is visible at the start and at the end. still_objects: (n, H, W) bool,
    the other objects that stay put, where they are visible at start and end.
    """

    seed: int
    start_index: int
    thing: str
    kind: str
    point: int
    path_px: np.ndarray
    past: np.ndarray
    future: np.ndarray
    start_mask: np.ndarray
    future_masks: np.ndarray
    start_whole: np.ndarray
    future_whole: np.ndarray
    start_table: np.ndarray
    end_table: np.ndarray
    still_objects: np.ndarray
    drag_class: str = 'translate'
    centre_px: np.ndarray | None = None
    partner: DragCase | None = None
    rest: DragCase | None = None

    @property
    def is_edit(self) -> bool:
        """The newest predicted chunk is to be redone, so that it ends with the thing elsewhere."""
        return self.drag_class == 'edit'

    @property
    def length_px(self) -> float:
        """Distance from the handle point's start to its end."""
        return float(np.linalg.norm(self.path_px[-1] - self.path_px[0]))

    @property
    def name(self) -> str:
        """Class, seed, frame and thing: enough to make the case again."""
        return f'{self.drag_class}/{self.seed}/{self.start_index}/{self.thing}'

    def stamps_ns(self) -> list[int]:
        """Stamps of the past, the last one of the frame dragged on."""
        first = self.start_index - len(self.past) + 1
        return [round((first + index) / FRAME_RATE_HZ * NS) for index in range(len(self.past))]

    def command(self, *, with_mask: bool = False) -> DragCommand:
        """What an operator would send: a point and its path over time; the thing's mask on wish.

        A lid or a link is marked in any case: a touch of it may as well mean all of its thing.
        """
        height, width = self.start_mask.shape
        cases = (self,) if self.partner is None else (self, self.partner)
        return DragCommand(
            drag_id=self.name, operator_id='bench',
            mode=DragMode.EDIT if self.is_edit else DragMode.ANIMATE,
            handles=tuple(case._handle(with_mask) for case in cases),
            image_size=(width, height), stamp_ns=self.stamps_ns()[-1],
            duration_secs=(len(self.path_px) - 1) / FRAME_RATE_HZ)

    def _handle(self, with_mask: bool) -> DragHandle:
        is_marked = with_mask or self.rest is not None
        return DragHandle(
            path_px=self.path_px.astype(np.float64),
            times_secs=np.arange(len(self.path_px)) / FRAME_RATE_HZ,
            operation=Operation.TRANSLATE if self.centre_px is None else Operation.ROTATE,
            centre_px=self.centre_px, mask=self.start_mask if is_marked else None)


def left_behind(start_mask: np.ndarray, end_whole: np.ndarray) -> np.ndarray:
    """The pixels (H, W) bool that the thing leaves, less the soft edge of where it ends up."""
    edge = np.ones((3, 3), np.uint8)
    return start_mask & (cv2.dilate(end_whole.astype(np.uint8), edge) == 0)


def mask_of(take: Take, thing: int, index: int) -> np.ndarray:
    """Where a thing is visible (H, W) bool; of a gripper, its hand."""
    whole: np.ndarray = take.masks[index] == thing + 1
    if take.things[thing].kind != 'gripper':
        return whole
    y, x = np.indices(whole.shape)
    palm = take.points_px[index, np.flatnonzero(take.point_thing == thing)[PALM_POINT]]
    return whole & (np.hypot(x - palm[0], y - palm[1]) <= HAND_RADIUS_PX)


def cut_case(
    take: Take, *, seed: int, start: int, end: int, thing: int, point: int,
    past_frames: int, drag_class: str = 'translate', centre_px: np.ndarray | None = None,
) -> DragCase:
    """The case of dragging a thing by a point from frame ``start`` on, up to and with ``end``.

    An edit asks for the last frame alone.
    """
    future = np.array([end]) if drag_class == 'edit' else np.arange(start + 1, end + 1)
    return DragCase(
        seed=seed, start_index=start, thing=take.things[thing].name, kind=take.things[thing].kind,
        point=point, path_px=take.points_px[[start, *future], point],
        past=take.frames[start + 1 - past_frames:start + 1], future=take.frames[future],
        start_mask=mask_of(take, thing, start),
        future_masks=np.stack([mask_of(take, thing, int(index)) for index in future]),
        start_whole=take.masks[start] == thing + 1, future_whole=take.masks[future] == thing + 1,
        start_table=take.masks[start] == 0, end_table=take.masks[end] == 0,
        still_objects=_still_objects(take, thing, start, end), drag_class=drag_class,
        centre_px=centre_px)


def _still_objects(take: Take, dragged: int, start: int, end: int) -> np.ndarray:
    way = take.points_px[start:end + 1] - take.points_px[start]
    goes = np.linalg.norm(way, axis=-1).max(0) >= STILL_PX
    still = [
        thing for thing, described in enumerate(take.things)
        if described.kind == 'object' and thing != dragged
        and not goes[take.point_thing == thing].any()]
    seen = [(take.masks[[start, end]] == thing + 1).all(0) for thing in still]
    return np.array(seen, bool).reshape(-1, *take.masks.shape[1:])
