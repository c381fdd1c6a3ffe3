"""The live tabletop: a random scene for a seed, stepped, rendered and asked for ground truth."""

from __future__ import annotations

import cv2
import mujoco
import numpy as np

from dragstream_ros.core.drag import DragCommand
from dragstream_ros.simulation import gripper
from dragstream_ros.simulation.camera import Camera, Intrinsics, Workspace, random_camera
from dragstream_ros.simulation.colours import Colour
from dragstream_ros.simulation.dragged_robot import DraggedRobot, dragged_things
from dragstream_ros.simulation.model import (
    TICK_SECS,
    WALL_MARGIN_PX,
    build_model,
    random_surroundings,
)
from dragstream_ros.simulation.picture_frame import PictureFrame
from dragstream_ros.simulation.placement import heap, scatter
from dragstream_ros.simulation.renderer import Renderer, graphics_backend
from dragstream_ros.simulation.teleoperator import Teleoperator
from dragstream_ros.simulation.things import random_gripper, random_objects
from dragstream_ros.simulation.truth import Thing, Truth, visible_points
from dragstream_ros.simulation.world import World

SUPERSAMPLED_UP_TO_PX = 160
"""Pictures up to this wide are drawn at twice their size and averaged, against jagged edges; for
larger ones the predictor does the same when it makes them smaller."""
STATIC_POINTS = 6


class TabletopScene:
    """Two teleoperated grippers over a table with objects, seen by one camera.

    The same seed and the same steps give the same world. ``image_size`` is (width, height);
    ``aspect`` (width / height) other than the picture's own leaves black bars. Use from one
    thread.
    """

    def __init__(
            self, seed: int, *, image_size: tuple[int, int] = (256, 256),
            aspect: float | None = None) -> None:
        rng = np.random.default_rng(seed)
        self._seed = seed
        self._frame = PictureFrame.fit(image_size, aspect or image_size[0] / image_size[1])
        self._camera = random_camera(rng, size=self._frame.content)
        workspace = Workspace(self._camera)
        shapes = random_objects(rng, scale=1.02 if self._camera.is_wide else 0.95)
        grippers = (random_gripper(rng),) * 2
        if rng.uniform() < 0.3:
            grippers = (grippers[0], random_gripper(rng))
        places = scatter(rng, workspace, [shape.radius for shape in shapes])
        shapes = shapes[:len(places)]
        places = heap(rng, places, shapes)
        surroundings = random_surroundings(
            rng, far_y=workspace.corners(margin_px=WALL_MARGIN_PX)[:, 1].max())
        static = np.stack([
            np.array([*workspace.random_point(rng), 0.0]) for _ in range(STATIC_POINTS)])
        operator = Teleoperator(
            np.random.default_rng(rng.integers(2 ** 63)), workspace, shapes)
        self._shapes = shapes
        model = build_model(self._camera, workspace, surroundings, grippers, shapes, places)
        self._world = World(model, operator, shapes, places, static)
        self.things = [
            *(Thing(f'gripper_{side}', 'gripper', _bytes(look.palm))
              for side, look in zip(('left', 'right'), grippers)),
            *(Thing(shape.name, 'object', _bytes(shape.colour)) for shape in shapes),
            Thing('table', 'static', _bytes(surroundings.colours[0]))]
        self._sliding = tuple(len(grippers) + index for index in operator.sliding)
        points_each = [len(gripper.POINTS)] * 2 + [shape.all_points for shape in shapes]
        self.point_thing = np.repeat(np.arange(len(self.things)), [*points_each, STATIC_POINTS])
        self._geom_mask = _geom_mask(model)
        self._on_limb = np.array([
            *(model.body(body).name.startswith('limb_') for body in model.geom_bodyid), False])
        self._robot: DraggedRobot | None = None
        self._due_secs = 0.0
        self._renderer: Renderer | None = None
        self._drawn_ticks = -1
        self._shown: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def description(self) -> str:
        """One line for people. Raises NoGraphics where nothing can be rendered."""
        return f'live MuJoCo scene, seed {self._seed}, drawn with {graphics_backend()}'

    @property
    def sliding(self) -> tuple[int, ...]:
        """Which of the things go their way by themselves, with no gripper that moves them."""
        return self._sliding

    @property
    def image_size(self) -> tuple[int, int]:
        return self._frame.size

    @property
    def intrinsics(self) -> Intrinsics:
        """Of the whole picture, bars included."""
        return self._camera.intrinsics.moved(self._frame.corner)

    @property
    def time_secs(self) -> float:
        return self._world.ticks * TICK_SECS

    def step(self, dt_secs: float) -> None:
        """Go on by ``dt_secs``; what is left over of a 1/60 s tick counts at the next call."""
        self._due_secs += dt_secs
        ticks = max(round(self._due_secs / TICK_SECS), 0)
        self._due_secs -= ticks * TICK_SECS
        self._world.advance(ticks)

    def render(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB. Raises NoGraphics where nothing can be rendered."""
        return self._picture(self._drawer())

    def render_bare(self) -> np.ndarray:
        """The same with nothing on the table, nor above it."""
        drawer = self._drawer()
        drawer.update(self._world.data, static_only=True)
        self._drawn_ticks = -1
        return self._picture(drawer)

    def truth(self) -> Truth:
        """Ground truth of now. Raises NoGraphics where the mask cannot be rendered."""
        points_px = self._points_px(self._world)
        mask = self._frame.paste(self._geom_mask[self._shown_geoms()[0]])
        visible = visible_points(
            points_px, self.point_thing, mask, background=len(self.things) - 1)
        return Truth(
            time_secs=self.time_secs, points_px=points_px, point_visible=visible,
            point_thing=self.point_thing, mask=mask, things=self.things)

    def limbs(self) -> np.ndarray:
        """(H, W) bool, where lids and links are visible. Raises NoGraphics as truth does."""
        return self._frame.paste(self._on_limb[self._shown_geoms()[0]])

    def surfaces(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What every pixel shows: one frame's body, depth_m and poses of surfaces.Surfaces.

        Raises NoGraphics where nothing can be rendered.
        """
        geoms, depth_m = self._shown_geoms()
        body = np.append(self._world.model.geom_bodyid, 0)[geoms]
        return (self._frame.paste(body.astype(np.uint8)),
                self._frame.paste(depth_m.astype(np.float16)), self._world.body_poses())

    @property
    def camera(self) -> Camera:
        """Of the picture without its bars; pixel (0, 0) of it is picture_corner."""
        return self._camera

    @property
    def picture_corner(self) -> tuple[int, int]:
        return self._frame.corner

    def look_ahead(self, secs: float, *, rate_hz: float = 10.0) -> tuple[np.ndarray, np.ndarray]:
        """What the teleoperator is about to do, by acting it out on a copy of the world.

        Returns offsets (N,) float64 seconds from now, starting at 0.0, and the ground-truth
        points (N, P, 2) float32 pixels. Needs no graphics.
        """
        world = self._world.copy()
        offsets_secs = np.arange(round(secs * rate_hz) + 1) / rate_hz
        ticks = np.round(offsets_secs / TICK_SECS).astype(int)
        points = [self._points_px(world)]
        for count in np.diff(ticks):
            world.advance(int(count))
            points.append(self._points_px(world))
        return offsets_secs, np.stack(points)

    def rest(self) -> None:
        """The teleoperator lets go of everything: it all stays, until something is dragged."""
        self._world.operator = self._robot = DraggedRobot(self._world.operator.hands)

    def carry_out(self, command: DragCommand) -> list[str]:
        """Have the robot do a drag that is given on the picture of now, as time goes on.

        Returns the names of what is grabbed. Raises NoGraphics where that cannot be looked up.
        """
        if self._robot is None:
            self.rest()
        assert self._robot is not None
        geoms, depth_m = (self._frame.paste(shown) for shown in self._shown_geoms())
        rows, columns = np.indices(depth_m.shape)
        pixels = np.stack([columns, rows], -1) - self._frame.corner
        dragged = dragged_things(
            command, mask=self.truth().mask, camera=self._camera, corner_px=self._frame.corner,
            places_m=self._camera.unproject(pixels, depth_m), on_limb=self._on_limb[geoms],
            shapes=self._shapes)
        self._robot.drag(dragged)
        return [self.things[one.index + (0 if one.is_hand else 2)].name for one in dragged]

    def snapshot(self) -> World:
        """The world as it is, for rewind()."""
        return self._world.copy()

    def rewind(self, world: World) -> None:
        """Go back to a snapshot, which can be used again."""
        self._world = world.copy()
        robot = self._world.operator
        self._robot = robot if isinstance(robot, DraggedRobot) else None
        self._drawn_ticks, self._due_secs = -1, 0.0

    def close(self) -> None:
        """Give the graphics memory back; the scene can go on and be rendered again."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _points_px(self, world: World) -> np.ndarray:
        pixels = self._camera.project(world.points()) + self._frame.corner
        return pixels.astype(np.float32)

    def _picture(self, drawer: Renderer) -> np.ndarray:
        width, height = self._frame.content
        if width > SUPERSAMPLED_UP_TO_PX:
            return self._frame.paste(drawer.picture((width, height)))
        large = drawer.picture((2 * width, 2 * height))
        return self._frame.paste(cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA))

    def _shown_geoms(self) -> tuple[np.ndarray, np.ndarray]:
        """Renderer.surfaces of the content, rendered once for all who ask at one time."""
        drawer = self._drawer()
        if self._shown is None:
            self._shown = drawer.surfaces(self._frame.content)
        return self._shown

    def _drawer(self) -> Renderer:
        if self._renderer is None:
            self._renderer = Renderer(self._world.model)
            self._drawn_ticks = -1
        if self._drawn_ticks != self._world.ticks:
            self._renderer.update(self._world.data)
            self._drawn_ticks, self._shown = self._world.ticks, None
        return self._renderer


def _geom_mask(model: mujoco.MjModel) -> np.ndarray:
    """Mask value per geom; the last entry is for "no geom", whose number is -1."""
    values = np.zeros(model.ngeom + 1, np.uint8)
    for geom in range(model.ngeom):
        kind, _, number = model.body(model.geom_bodyid[geom]).name.rpartition('_')
        if kind in gripper.BODIES:
            values[geom] = 1 + int(number)
        elif kind in ('object', 'limb'):
            values[geom] = 3 + int(number)
    return values


def _bytes(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = (round(255 * part) for part in colour)
    return (red, green, blue)
