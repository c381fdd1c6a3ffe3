"""The tabletop as a MuJoCo model: primitives only, no meshes and no files.

Every object has four joints (x, y, z, yaw): it slides and turns on the table with dry friction and
is pushed by contacts, but never topples; z is written by the script. A limb is a body of its own on
the object's, with a hinge that stays as it is until something turns it. Hands are mocap bodies.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from dragstream_ros.simulation.camera import Camera, Workspace
from dragstream_ros.simulation.colours import Colour
from dragstream_ros.simulation.gripper import add_gripper
from dragstream_ros.simulation.object_shape import Limb, ObjectShape, Part
from dragstream_ros.simulation.renderer import MAX_SIZE
from dragstream_ros.simulation.things import GripperLook

TICK_SECS = 1 / 60
"""One step of the script; the physics takes ``SUBSTEPS`` in it."""
SUBSTEPS = 2
WALL_MARGIN_PX = 5.0
_SHAPES = {
    'box': mujoco.mjtGeom.mjGEOM_BOX, 'cylinder': mujoco.mjtGeom.mjGEOM_CYLINDER,
    'ellipsoid': mujoco.mjtGeom.mjGEOM_ELLIPSOID}


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Table and light."""

    pattern: str
    colours: tuple[Colour, Colour]
    repeat: float
    far_edge: float
    """Metres from the middle of the picture to the table's far edge."""
    wall: Colour
    lights: tuple[tuple[tuple[float, float, float], float], ...]
    """Directions they shine in, and brightness."""
    ambient: float


def random_surroundings(rng: np.random.Generator, *, far_y: float) -> Surroundings:
    """``far_y``: metres, how far the table must reach at least."""
    base = np.array([0.0, 0.0, 0.0]) + rng.uniform(0.25, 0.85)
    warm = rng.uniform(-0.14, 0.14)
    base = np.clip(base + (warm, rng.uniform(-0.06, 0.06), -warm), 0.12, 0.92)
    other = np.clip(base + rng.choice([-1, 1]) * rng.uniform(0.04, 0.16), 0.08, 0.95)
    wall = np.clip(rng.uniform(0.2, 0.9) + rng.uniform(-0.1, 0.1, 3), 0, 1)
    tilt = rng.uniform(-0.6, 0.6, 4)
    return Surroundings(
        pattern=str(rng.choice(['flat', 'gradient', 'checker'], p=[0.4, 0.25, 0.35])),
        colours=(tuple(base.tolist()), tuple(other.tolist())), repeat=float(rng.uniform(3, 9)),
        far_edge=far_y + float(rng.uniform(0.05, 0.12) if rng.uniform() < 0.4 else 1.2),
        wall=tuple(wall.tolist()),
        lights=(((tilt[0], tilt[1] + 0.3, -1.0), float(rng.uniform(0.35, 0.6))),
                ((tilt[2], tilt[3], -1.0), float(rng.uniform(0.0, 0.25)))),
        ambient=float(rng.uniform(0.32, 0.45)))


def build_model(
        camera: Camera, workspace: Workspace, surroundings: Surroundings,
        grippers: tuple[GripperLook, ...], shapes: list[ObjectShape], places: np.ndarray,
) -> mujoco.MjModel:
    """``places`` (n, 4): x, y, z, yaw at which the objects stand first."""
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    spec.option.timestep = TICK_SECS / SUBSTEPS
    spec.option.gravity = [0, 0, 0]
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.visual.global_.offwidth = spec.visual.global_.offheight = MAX_SIZE
    spec.visual.quality.offsamples = 0
    spec.visual.map.znear, spec.visual.map.zfar = 0.05, 20.0
    spec.stat.extent, spec.stat.center = 1.0, [0, 0, 0]
    world = spec.worldbody
    view = world.add_camera(name='camera', pos=camera.position, fovy=camera.fovy_deg)
    quat = np.empty(4)
    mujoco.mju_mat2Quat(quat, camera.rotation.reshape(-1))
    view.quat = quat
    _add_surroundings(spec, surroundings)
    corners = workspace.corners(margin_px=WALL_MARGIN_PX)
    for corner, following in zip(corners, np.roll(corners, -1, axis=0)):
        _add_wall(world, corner, following)
    for index, (shape, place) in enumerate(zip(shapes, places)):
        _add_object(world, index, shape, place)
    for index, look in enumerate(grippers):
        add_gripper(world, index, look)
        shade = world.add_body(name=f'hand_shade_{index}', mocap=True)
        _add_shade(shade, 'box', np.array([0.046, 0.014]), (0, 0, 0))
    return spec.compile()


def _add_surroundings(spec: mujoco.MjSpec, surroundings: Surroundings) -> None:
    spec.visual.headlight.active = 1
    spec.visual.headlight.ambient = [surroundings.ambient] * 3
    spec.visual.headlight.diffuse = [0.12] * 3
    spec.visual.headlight.specular = [0.0] * 3
    for direction, brightness in surroundings.lights:
        spec.worldbody.add_light(
            type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, dir=direction, pos=(0, 0, 2),
            diffuse=[brightness] * 3, specular=[0.15 * brightness] * 3, castshadow=False)
    builtins = {
        'flat': mujoco.mjtBuiltin.mjBUILTIN_FLAT, 'gradient': mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        'checker': mujoco.mjtBuiltin.mjBUILTIN_CHECKER}
    spec.add_texture(
        name='table', type=mujoco.mjtTexture.mjTEXTURE_2D, builtin=builtins[surroundings.pattern],
        rgb1=surroundings.colours[0], rgb2=surroundings.colours[1], width=128, height=128)
    repeat = surroundings.repeat if surroundings.pattern == 'checker' else 1.0
    material = spec.add_material(name='table', texrepeat=[repeat, repeat], texuniform=False)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = 'table'
    depth = (surroundings.far_edge + 0.6) / 2
    spec.worldbody.add_geom(
        name='table', type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.8, depth, 0.02],
        pos=[0, surroundings.far_edge - depth, -0.02], material='table', contype=0, conaffinity=0)
    spec.worldbody.add_geom(
        name='floor', type=mujoco.mjtGeom.mjGEOM_PLANE, size=[6, 6, 1], pos=[0, 0, -0.7],
        rgba=[*surroundings.wall, 1], contype=0, conaffinity=0)


def _add_wall(world: mujoco.MjsBody, corner: np.ndarray, following: np.ndarray) -> None:
    """An invisible upright plane that keeps objects on its left side."""
    along = (following - corner) / np.linalg.norm(following - corner)
    world.add_geom(
        type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 0.1], pos=[*corner, 0],
        zaxis=[-along[1], along[0], 0], rgba=[0, 0, 0, 0], contype=2, conaffinity=2)


def _add_object(world: mujoco.MjsBody, index: int, shape: ObjectShape, place: np.ndarray) -> None:
    body = world.add_body(name=f'object_{index}')
    joints = (
        ('x', mujoco.mjtJoint.mjJNT_SLIDE, (1, 0, 0), 0.5, 3.0, 0.0),
        ('y', mujoco.mjtJoint.mjJNT_SLIDE, (0, 1, 0), 0.5, 3.0, 0.0),
        ('z', mujoco.mjtJoint.mjJNT_SLIDE, (0, 0, 1), 0.0, 0.0, 0.0),
        ('yaw', mujoco.mjtJoint.mjJNT_HINGE, (0, 0, 1), 0.006, 0.004, 3e-4))
    for name, kind, axis, friction, damping, armature in joints:
        body.add_joint(
            name=f'object_{index}_{name}', type=kind, axis=axis, frictionloss=friction,
            damping=[damping, 0, 0], armature=armature)
    _add_parts(body, shape.parts)
    shade = world.add_body(name=f'object_shade_{index}', mocap=True, pos=[*place[:2], 0])
    _add_shades(shade, shape.parts)
    if shape.limb is not None:
        _add_limb(world, body, index, shape.limb)


def _add_limb(world: mujoco.MjsBody, body: mujoco.MjsBody, index: int, limb: Limb) -> None:
    part = body.add_body(name=f'limb_{index}', pos=limb.hinge)
    part.add_joint(
        name=f'object_{index}_hinge', type=mujoco.mjtJoint.mjJNT_HINGE, axis=limb.axis,
        frictionloss=0.003, damping=[0.002, 0, 0], armature=3e-4, limited=True, range=limb.range)
    _add_parts(part, limb.parts)
    if not limb.is_lid:
        shade = world.add_body(name=f'limb_shade_{index}', mocap=True)
        _add_shades(shade, limb.parts)


def _add_parts(body: mujoco.MjsBody, parts: tuple[Part, ...]) -> None:
    for part in parts:
        body.add_geom(
            type=_SHAPES[part.kind], size=part.size, pos=part.position, rgba=[*part.colour, 1],
            contype=3 if part.solid else 0, conaffinity=3 if part.solid else 0,
            mass=0.15 if part.solid else 0.001, friction=[0.3, 0.005, 0.0001],
            solref=[0.04, 1.0], condim=3)


def _add_shades(body: mujoco.MjsBody, parts: tuple[Part, ...]) -> None:
    for part in parts:
        if part.solid:
            _add_shade(body, part.kind, np.array(part.size[:2]), part.position)


def _add_shade(
        body: mujoco.MjsBody, kind: str, size: np.ndarray, position: tuple[float, ...]) -> None:
    """A faint dark patch under a thing: where it stands, or how high it is lifted."""
    round_ = kind == 'cylinder'
    radii = np.array([size[0], size[0] if round_ else size[1]])
    if kind == 'ellipsoid':
        radii *= 0.8
    body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX if kind == 'box' else mujoco.mjtGeom.mjGEOM_ELLIPSOID,
        size=[*(radii + 0.006), 0.0008], pos=[position[0], position[1], 0.0004],
        rgba=[0, 0, 0, 0.28], contype=0, conaffinity=0)
