"""Finds the regions that operators mean, in a thread of its own, and remembers them."""

from __future__ import annotations

import asyncio
import functools
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from dragstream_ros.console.outline import brushed_outline, touched_outline
from dragstream_ros.console.pictures import Album, Jpeg
from dragstream_ros.console.requests import Handle, Picture, Points, RegionRequest

OUTLINES_KEPT = 64


class RegionFinder:
    """What is outlined on a page is what the predictor will move: it is sent with the drag."""

    def __init__(self, albums: dict[str, Album]) -> None:
        """albums: the pictures of each stream; somebody else fills them."""
        self._albums = albums
        self._outlines: OrderedDict[tuple[Picture, Points], Points] = OrderedDict()
        self._thread = ThreadPoolExecutor(1, 'console-regions')
        self._thread.submit(_find_nothing)

    def stop(self) -> None:
        """End the thread."""
        self._thread.shutdown(cancel_futures=True)

    async def with_outline(self, handle: Handle, picture: Picture) -> Handle:
        """The handle with an outline: its own, or that of what it grabs, and is turned about."""
        if handle.outline:
            return handle
        centre = () if handle.centre is None else (handle.centre,)
        return replace(handle, outline=await self._touched(picture, (handle.path[0], *centre)))

    async def find(self, request: RegionRequest) -> Points:
        """What a stroke means, or touches."""
        if request.radius_px is None:
            return await self._touched(request.picture, request.stroke[:1])
        kept = self._albums[request.picture.stream].find(request.picture.stamp_ns)
        find = functools.partial(_find_painted, request, kept)
        return await asyncio.get_running_loop().run_in_executor(self._thread, find)

    async def _touched(self, picture: Picture, points: Points) -> Points:
        """The same points of the same picture have one outline, also when that is long gone.

        Nothing if the picture was gone before: the predictor then looks for itself.
        """
        key = (picture, points)
        kept = self._albums[picture.stream].find(picture.stamp_ns)
        if key not in self._outlines and kept is not None:
            self._outlines[key] = await asyncio.get_running_loop().run_in_executor(
                self._thread, _find, kept, points)
            if len(self._outlines) > OUTLINES_KEPT:
                self._outlines.popitem(last=False)
        return self._outlines.get(key, ())


def _find_nothing() -> None:
    """Read the weights, start the threads: the first touch is answered as soon as the rest."""
    touched_outline(np.zeros((64, 64, 3), np.uint8), ((32.0, 32.0),))


def _find_painted(request: RegionRequest, kept: Jpeg | None) -> Points:
    assert request.radius_px is not None
    size, picture = request.picture.size, None if kept is None else kept.pixels()
    if picture is not None and picture.shape[1::-1] != size:    # the page says something else
        picture = None
    return brushed_outline(
        request.stroke, radius_px=request.radius_px, size=size, picture=picture)


def _find(picture: Jpeg, points: Points) -> Points:
    return touched_outline(picture.pixels(), points)
