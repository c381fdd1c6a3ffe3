"""What operators are shown of a prediction: the picture, and what viewers draw by themselves."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from types import ModuleType

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from std_msgs.msg import Header
from test_predictor_playback import chunk
from visualization_msgs.msg import ImageMarker, Marker

from dragstream_ros.adapters.camera_model import CameraModel
from dragstream_ros.nodes import drag_annotations
from dragstream_ros.nodes.drag_paths import MOST_CHUNKS, DragPaths, PathCollector
from dragstream_ros.nodes.playback import Shown
from dragstream_ros.nodes.preview import AHEAD_RGB, DONE_RGB, draw_preview, set_up_drawing

SIZE = 64
PATH = DragPaths(np.array([[[10.0, 20.0], [20.0, 20.0], [30.0, 20.0], [40.0, 20.0]]]), 1)
NONE = DragPaths(np.zeros((0, 4, 2)), 1)
HEADER = Header(stamp=Time(sec=5), frame_id='eye')
CAMERA = CameraModel(
    matrix=np.array([[50.0, 0.0, 31.5], [0.0, 50.0, 31.5], [0.0, 0.0, 1.0]]),
    distortion=np.zeros(5), turn=np.eye(3), shift=np.zeros(3))


def shown(grey: int = 128, *, confidence: float = 1.0, drag_id: str = 'a', index: int = 1) -> Shown:
    return Shown(replace(
        chunk(), frames=np.full((4, SIZE, SIZE, 3), grey, np.uint8), drag_id=drag_id,
        confidence=np.full(4, confidence, np.float32),
        offsets_secs=np.array([0.1, 0.2, 0.3, 0.4])), index)


def draw(
    shown: Shown, paths: DragPaths = NONE, *, scale: int = 4, late: bool = False, problem: str = ''
) -> np.ndarray:
    return draw_preview(
        shown, paths, scale=scale, horizon_secs=0.4, late=late, problem=problem)


def share_of(image: np.ndarray, rgb: tuple[int, int, int]) -> float:
    return float((image == rgb).all(axis=-1).mean())


# The picture.


def test_a_preview_cannot_be_taken_for_a_camera_image():
    for grey in (0, 128, 255):
        image = draw(shown(grey))
        assert image.shape == (4 * SIZE, 4 * SIZE, 3) and image.dtype == np.uint8
        edges = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
        assert 0.3 < share_of(edges, DONE_RGB) < 0.7 and 0.3 < share_of(edges, (0, 0, 0)) < 0.7
        inside = image[20:200, 20:-20].astype(int)
        assert (abs(inside - grey) > 20).any(axis=-1).mean() > 0.02  # the word across it


def test_what_is_not_to_be_trusted_fades_to_grey():
    sure, unsure = draw(shown(250)), draw(shown(250, confidence=0.0))
    assert np.median(sure[20:200]) == 250 and 120 < np.median(unsure[20:200]) < 180


def test_the_bar_is_full_at_the_horizon():
    reach = [share_of(draw(shown(index=index))[-20:-16], DONE_RGB) for index in range(4)]
    assert np.diff(reach) == pytest.approx(3 * [0.25], abs=0.03) and reach[3] > 0.9


def test_an_undragged_prediction_has_a_white_bar():
    strip = draw(shown(drag_id=''))[-20:-16, 8:-8]
    assert share_of(strip, (255, 255, 255)) > 0.4 and share_of(strip, DONE_RGB) == 0


@pytest.mark.parametrize('fields', [
    {'late': True}, {'confidence': 0.2}, {'problem': 'DRAG LOST'},
])
def test_what_is_wrong_is_said_in_red(fields):
    def red(image):
        pixels = image[-16:-4].astype(int)
        return int(((pixels[..., 0] > 150) & (pixels[..., 1] < 100)
                    & (pixels[..., 2] > 40)).sum())

    sure = fields.pop('confidence', 1.0)
    assert red(draw(shown())) == 0 and red(draw(shown(confidence=sure), **fields)) > 20


def test_a_path_is_orange_up_to_the_handle_and_yellow_to_its_target():
    image = draw(shown(), PATH)

    def at(x: float, y: float) -> tuple[int, ...]:
        return tuple(map(int, image[round((y + 0.5) * 4 - 0.5), round((x + 0.5) * 4 - 0.5)]))

    assert at(20.0, 20.0) == DONE_RGB  # the handle
    assert at(14.0, 20.0) == DONE_RGB and at(32.0, 20.0) == AHEAD_RGB
    assert at(32.0, 30.0) != AHEAD_RGB


def test_a_white_line_is_around_what_is_held():
    square = np.array([[20.0, 20.0], [40.0, 20.0], [40.0, 30.0], [20.0, 30.0]], np.float32)
    nothing = np.zeros((0, 2), np.float32)
    held = shown(60)
    held = Shown(replace(held.chunk, outlines_px=4 * [[square, nothing]]), held.index)
    image = draw(held)
    top, left = round(20.5 * 4 - 0.5), round(20.5 * 4 - 0.5)
    assert (image[top, left + 8:left + 40] > 150).all()
    assert abs(int(image[top + 20, left + 8, 0]) - 60) < 50  # it is not filled


@pytest.mark.parametrize('scale', [1, 2, 8])
def test_every_scale_is_drawn(scale):
    outside = DragPaths(np.array([[[-50.0, -50.0], [500.0, 500.0]]]), 0)
    assert draw(shown(), outside, scale=scale).shape == (scale * SIZE, scale * SIZE, 3)


def test_a_preview_of_the_usual_size_is_drawn_in_a_callback_without_harm():
    set_up_drawing()
    large = replace(shown().chunk, frames=np.full((4, 128, 128, 3), 90, np.uint8))
    took_secs = []
    for _ in range(20):
        started = time.perf_counter()
        draw_preview(Shown(large, 1), PATH, scale=4, horizon_secs=1.0, late=True)
        took_secs.append(time.perf_counter() - started)
    assert min(took_secs) < 0.005


# Paths, over several chunks.


def test_a_path_goes_on_through_the_chunks_that_are_known():
    collector = PathCollector()
    chunks = [replace(
        chunk(), chunk_index=number, tracks_px=4.0 * number + np.arange(4.0)[None, :, None]
        + np.zeros(2)) for number in range(3)]
    collector.add(chunks[0])
    first = collector.paths(Shown(chunks[0], 3))
    assert first.positions_px.shape == (1, 4, 2) and first.index == 3
    collector.add(chunks[1])
    collector.add(chunks[2])
    whole = collector.paths(Shown(chunks[1], 2))
    assert whole.positions_px[0, :, 0].tolist() == list(range(12)) and whole.index == 6


def test_the_paths_of_another_prediction_are_not_mixed_in():
    collector = PathCollector()
    old, new = replace(chunk(), anchor=1), replace(chunk(), anchor=2, chunk_index=1)
    collector.add(old)
    collector.add(new)
    paths = collector.paths(Shown(old, 0))
    assert paths.positions_px.shape[1] == old.tracks_px.shape[1] and paths.index == 0
    assert collector.paths(Shown(new, 0)).index == 0


def test_the_paths_of_an_earlier_drag_are_not_mixed_in():
    collector = PathCollector()
    tracks_px = np.zeros((1, 4, 2))
    drags = [replace(chunk(), chunk_index=number, drag_id=drag_id, tracks_px=tracks_px)
             for number, drag_id in enumerate(['a', 'b', 'b', ''])]
    for each in drags:
        collector.add(each)
    assert collector.paths(Shown(drags[0], 0)).positions_px.shape == (1, 4, 2)
    second = collector.paths(Shown(drags[2], 1))
    assert second.positions_px.shape == (1, 8, 2) and second.index == 5


def test_an_endless_prediction_needs_no_more_and_more_memory():
    collector = PathCollector()
    for number in range(100):
        newest = replace(chunk(), chunk_index=number, tracks_px=np.zeros((1, 4, 2)))
        collector.add(newest)
    assert collector.paths(Shown(newest, 0)).positions_px.shape == (1, 4 * MOST_CHUNKS, 2)


# What viewers draw by themselves.


def test_image_markers_lie_on_the_predicted_image():
    path, handle = drag_annotations.image_markers(PATH, HEADER)
    assert path.type == ImageMarker.LINE_STRIP and path.header == HEADER
    assert [(point.x, point.y) for point in path.points] == list(map(tuple, PATH.positions_px[0]))
    assert handle.type == ImageMarker.CIRCLE
    assert (handle.position.x, handle.position.y) == (20.0, 20.0)


def test_arrows_stand_where_the_camera_sees_the_path():
    line, arrow = drag_annotations.space_markers(PATH, CAMERA, HEADER).markers
    assert {line.header.frame_id, arrow.header.frame_id} == {'eye'} and arrow.type == Marker.ARROW
    seen_px = CAMERA.project([(point.x, point.y, point.z) for point in line.points])
    assert seen_px == pytest.approx(PATH.positions_px[0])
    start, end = CAMERA.project([(point.x, point.y, point.z) for point in arrow.points])
    assert (start, end) == (pytest.approx([20, 20]), pytest.approx([40, 20]))
    assert line.lifetime.nanosec > 0  # they go when the drag does


def test_at_the_target_there_is_no_arrow_left():
    markers = drag_annotations.space_markers(
        DragPaths(PATH.positions_px, 3), CAMERA, HEADER).markers
    assert [marker.type for marker in markers] == [Marker.LINE_STRIP]


def test_foxglove_gets_its_own_annotations_where_it_is_installed(monkeypatch):
    monkeypatch.setattr(drag_annotations, 'foxglove', foxglove_stand_in())
    annotations = drag_annotations.foxglove_annotations(PATH, HEADER)
    (path,), (handle,) = annotations.points, annotations.circles
    # Foxglove's pixel (0, 0) is the corner of the image, ours the centre of a pixel.
    assert [(point.x, point.y) for point in path.points][:2] == [(10.5, 20.5), (20.5, 20.5)]
    assert (handle.position.x, handle.position.y) == (20.5, 20.5)
    assert path.type == path.LINE_STRIP and path.timestamp == HEADER.stamp


def foxglove_stand_in() -> ModuleType:
    """The messages that we use, with the fields of foxglove_msgs: it has no wheel."""
    module = ModuleType('foxglove')

    @dataclass
    class Point2:
        x: float
        y: float

    @dataclass
    class Color:
        r: float
        g: float
        b: float
        a: float

    @dataclass
    class PointsAnnotation:
        LINE_STRIP = 3
        timestamp: Time
        type: int
        points: list
        thickness: float
        outline_color: Color

    @dataclass
    class CircleAnnotation:
        timestamp: Time
        position: Point2
        diameter: float
        thickness: float
        outline_color: Color

    @dataclass
    class ImageAnnotations:
        circles: list = field(default_factory=list)
        points: list = field(default_factory=list)

    for kind in (Point2, Color, PointsAnnotation, CircleAnnotation, ImageAnnotations):
        setattr(module, kind.__name__, kind)
    return module
