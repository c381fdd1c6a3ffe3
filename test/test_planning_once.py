"""What is the same for all candidates of a planner is done once."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import torch

from dragstream_ros.core.stream import DragStream, StreamConfig
from dragstream_ros.lanes import Lanes
from dragstream_ros.masks.grow_region import grow_region
from dragstream_ros.masks.once_per_picture import MOST_KEPT, OncePerPicture
from dragstream_ros.masks.thing_pieces import thing_pieces
from dragstream_ros.planning.candidates import smooth_drag
from dragstream_ros.planning.stream_futures import StreamFutures
from dragstream_ros.world_models.tabletop import seen_picture
from dragstream_ros.world_models.tabletop.model import TabletopWorldModel

PICTURE = np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8).repeat(8, 0).repeat(8, 1)
POINT_PX = np.array([40.0, 44.0])


class Counted:
    """A function that counts its calls."""

    def __init__(self, work, secs: float = 0.0) -> None:
        self.work, self.secs, self.n_calls = work, secs, 0

    def __call__(self, *arguments):
        self.n_calls += 1
        time.sleep(self.secs)
        return self.work(*arguments)


def test_the_same_point_of_the_same_picture_is_looked_at_once_also_by_many_at_a_time():
    grow = Counted(lambda picture, point_px: point_px.sum(), secs=0.05)
    once, found = OncePerPicture(grow), []
    threads = [threading.Thread(target=lambda: found.append(once(PICTURE, POINT_PX)))
               for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [84.0] * 4 and grow.n_calls == 1
    once(PICTURE, POINT_PX + 1.0)
    once(PICTURE.copy(), POINT_PX)
    assert grow.n_calls == 3


def test_only_the_last_few_pictures_are_kept():
    grow = Counted(lambda picture: picture.sum())
    once = OncePerPicture(grow)
    pictures = [np.full((2, 2, 3), level, np.uint8) for level in range(MOST_KEPT + 1)]
    assert [once(picture) for picture in pictures] == [12 * level for level in range(MOST_KEPT + 1)]
    once(pictures[-1])
    assert grow.n_calls == MOST_KEPT + 1
    once(pictures[0])
    assert grow.n_calls == MOST_KEPT + 2


def test_what_failed_is_tried_again():
    def fail(picture):
        raise MemoryError

    once = OncePerPicture(failing := Counted(fail))
    for _ in range(2):
        with pytest.raises(MemoryError):
            once(PICTURE)
    assert failing.n_calls == 2


def test_the_candidates_of_a_goal_share_what_is_grabbed_and_the_pieces_of_the_picture(monkeypatch):
    torch.set_num_threads(1)
    grow, cut = Counted(grow_region), Counted(thing_pieces)
    monkeypatch.setattr(seen_picture, 'thing_pieces', cut)
    model = TabletopWorldModel().eval()
    stream = DragStream(model, config=StreamConfig(), grow=OncePerPicture(grow))
    stream.reset(np.stack([PICTURE] * 2), [0, 100_000_000])
    futures = StreamFutures(stream, PICTURE, horizon_secs=1.0, lanes=Lanes(2))
    found = futures([
        smooth_drag(POINT_PX, POINT_PX + (x, 8), image_size=model.image_size)
        for x in (-16, 0, 16)])
    assert [len(future.frames) for future in found] == [10] * 3
    assert (grow.n_calls, cut.n_calls) == (1, 1)
