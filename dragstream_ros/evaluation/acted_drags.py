"""Drags that are acted out in the simulated world, for the classes that it seldom shows by itself.

The world comes to rest, then one thing, or two, is moved as the drag asks, and filmed: the true
future of just that drag. All else stays, as far as it is not in the way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode
from dragstream_ros.core.mask_pixels import at_border
from dragstream_ros.evaluation.acting_operators import MovedObject, TurnedHand, swing, turn_about
from dragstream_ros.evaluation.drag_case import (
    FRAME_RATE_HZ,
    PALM_POINT,
    DragCase,
    cut_case,
    left_behind,
)
from dragstream_ros.evaluation.drag_score import DragScorer
from dragstream_ros.simulation.motion import minimum_jerk
from dragstream_ros.simulation.scene import TabletopScene
from dragstream_ros.simulation.truth import Thing, Truth

SIZE = (128, 128)
N_PAST = N_FUTURE = 10
LONGEST_WAIT_SECS, REST_SECS = 6.0, 0.3     # before the world is at rest, and after
TRIES = 8               # motions that are tried in a scene
LEAST_AREA_PX = 60
VISIBLE_SHARES = (0.6, 1.6)     # area at the end, in start areas
HIDDEN_SHARE = 0.5      # of an occluded thing, visible at most somewhere on its way
PUSHED_PX = 2.0         # what is not dragged, or is turned about, may go so far
TURN_RAD = (0.7, 1.6)   # of an object about its middle, or a hand about its wrist
SWING_RAD = (0.5, 1.5)  # of a lid or a link about its hinge


@dataclass(frozen=True, kw_only=True)
class Motion:
    """What makes a drag of a class.

    length_px: least and most between handle point and end; least_left_px, least_left_share: of the
    pixels that the thing covers, those that it leaves.
    """

    length_px: tuple[float, float]
    act: Callable[[TabletopScene, Truth, np.random.Generator, Motion], Acted | None]
    least_left_px: int = 12
    least_left_share: float = 0.2


@dataclass(frozen=True, kw_only=True)
class Acted:
    """What was set going: things, their handle points, and the point that the first turns about.

    limb_points: all those of the lid or the link, where that alone is moved.
    """

    things: tuple[int, ...]
    points: tuple[int, ...]
    centre: int | None = None
    limb_points: tuple[int, ...] = ()


@dataclass(kw_only=True, eq=False)
class _Film:
    """See drag_case.Take. limbs: (T, H, W) bool, where a lid or a link is visible."""

    frames: np.ndarray
    points_px: np.ndarray
    point_visible: np.ndarray
    point_thing: np.ndarray
    masks: np.ndarray
    limbs: np.ndarray
    things: list[Thing]


def act_out(drag_class: str, seed: int) -> DragCase | None:
    """The drag of a scene, always the same; None where none was found that fits and can be told.

    Raises NoGraphics where nothing can be rendered.
    """
    motion = MOTIONS[drag_class]
    rng = np.random.default_rng([seed, 1])
    scene = TabletopScene(seed, image_size=SIZE)
    try:
        scene.step(float(rng.uniform(0, LONGEST_WAIT_SECS)))
        scene.rest()
        scene.step(REST_SECS)
        world, truth = scene.snapshot(), scene.truth()
        for _ in range(TRIES):
            scene.rewind(world)
            acted = motion.act(scene, truth, rng, motion)
            if acted is None:
                continue
            ready = scene.snapshot()
            scene.step(N_FUTURE / FRAME_RATE_HZ)
            if not _may_fit(acted, motion, truth, scene.truth()):
                continue
            scene.rewind(ready)
            case = _cut(_film(scene), acted, drag_class, seed)
            if _fits(case, motion):
                return case
    finally:
        scene.close()
    return None


def _film(scene: TabletopScene) -> _Film:
    """The world at rest for the past, then the motion."""
    frames, truths, limbs = [scene.render()], [scene.truth()], [scene.limbs()]
    for _ in range(N_FUTURE):
        scene.step(1 / FRAME_RATE_HZ)
        frames.append(scene.render())
        truths.append(scene.truth())
        limbs.append(scene.limbs())
    shown = [0] * (N_PAST - 1) + list(range(N_FUTURE + 1))
    return _Film(
        frames=np.stack([frames[index] for index in shown]),
        points_px=np.stack([truths[index].points_px for index in shown]),
        point_visible=np.stack([truths[index].point_visible for index in shown]),
        masks=np.stack([truths[index].mask for index in shown]),
        limbs=np.stack([limbs[index] for index in shown]),
        point_thing=scene.point_thing, things=scene.things)


def _cut(film: _Film, acted: Acted, drag_class: str, seed: int) -> DragCase:
    centre_px = None
    if acted.centre is not None:
        centre_px = film.points_px[N_PAST - 1, acted.centre].astype(np.float64)

    def case_of(film: _Film, thing: int, point: int) -> DragCase:
        return cut_case(
            film, seed=seed, start=N_PAST - 1, end=N_PAST + N_FUTURE - 1, thing=thing, point=point,
            past_frames=N_PAST, drag_class=drag_class, centre_px=centre_px)

    if acted.limb_points:
        (thing,), (point,) = acted.things, acted.points
        apart = _with_the_limb_apart(film, thing, acted.limb_points)
        middle = int(np.flatnonzero(film.point_thing == thing)[0])
        return replace(case_of(apart, len(film.things), point), rest=case_of(apart, thing, middle))
    first, *second = (case_of(film, *dragged) for dragged in zip(acted.things, acted.points))
    return replace(first, partner=second[0]) if second else first


def _with_the_limb_apart(film: _Film, thing: int, points: tuple[int, ...]) -> _Film:
    """The lid or the link of a thing as one more thing, the last one."""
    limb, point_thing = len(film.things), film.point_thing.copy()
    point_thing[list(points)] = limb
    is_limb = film.limbs & (film.masks == thing + 1)
    return replace(film, masks=np.where(is_limb, limb + 1, film.masks), point_thing=point_thing,
                   things=[*film.things, film.things[thing]])


# --- what fits ------------------------------------------------------------------------------------


def _may_fit(acted: Acted, motion: Motion, before: Truth, after: Truth) -> bool:
    """Whether the end is worth filming."""
    moved_px = np.linalg.norm(after.points_px - before.points_px, axis=-1)
    own = np.isin(before.point_thing, acted.things)
    # What runs into something while it turns does not turn about its middle alone.
    stays = ~own if acted.centre is None else ~own | (np.arange(len(own)) == acted.centre)
    handles = list(acted.points)
    low, high = motion.length_px
    return bool(
        after.point_visible[handles].all()
        and (moved_px[handles] >= low).all() and (moved_px[handles] <= high).all()
        and moved_px[stays].max() < PUSHED_PX)


def _fits(case: DragCase, motion: Motion) -> bool:
    cases = [case] if case.partner is None else [case, case.partner]
    return all(_is_seen(one, motion) for one in cases) and _can_be_told(case)


def _is_seen(case: DragCase, motion: Motion) -> bool:
    before, after = case.start_mask, case.future_masks[-1]
    n_left = left_behind(before, case.future_whole[-1]).sum()
    low, high = VISIBLE_SHARES
    if case.drag_class == 'through_occlusion' and (
            case.future_masks.sum((1, 2)).min() > HIDDEN_SHARE * before.sum()):
        return False
    return bool(
        low * before.sum() <= after.sum() <= high * before.sum()
        and n_left >= max(motion.least_left_px, motion.least_left_share * before.sum())
        and not at_border(before) and not at_border(after))


def _can_be_told(case: DragCase) -> bool:
    """The measure tells the truth from a picture that is held; a disc that turns looks the same."""
    scorer = DragScorer(case)
    held = np.repeat(case.past[-1:], len(case.future), axis=0)
    return scorer.score(case.future).succeeded and not scorer.score(held).arrived


# --- what is acted --------------------------------------------------------------------------------


def _shift_one(scene: TabletopScene, truth: Truth, rng: np.random.Generator,
               motion: Motion) -> Acted | None:
    return _shift(scene, truth, rng, motion, count=1)


def _shift_two(scene: TabletopScene, truth: Truth, rng: np.random.Generator,
               motion: Motion) -> Acted | None:
    return _shift(scene, truth, rng, motion, count=2)


def _shift(scene: TabletopScene, truth: Truth, rng: np.random.Generator, motion: Motion, *,
           count: int) -> Acted | None:
    """Things any way."""
    free = _free_things(scene, truth)
    if len(free) < count:
        return None
    things = [int(thing) for thing in rng.choice(free, count, replace=False)]
    points = [_grabbed_point(truth, thing) for thing in things]
    ways = [rng.uniform(*motion.length_px) * _direction(rng) for _ in things]
    return _carry_out(scene, truth, things, points, ways)


def _shift_under_an_arm(scene: TabletopScene, truth: Truth, rng: np.random.Generator,
                        motion: Motion) -> Acted | None:
    """An object to the other side of an arm, which is above the table."""
    objects = [thing for thing in _free_things(scene, truth) if thing > 1]
    side = int(rng.integers(2))
    palm_px = truth.points_px[_grabbed_point(truth, side)]
    rows, columns = np.nonzero(truth.mask == side + 1)
    arm_px = np.stack([columns, rows], -1)
    arm_px = arm_px[np.linalg.norm(arm_px - palm_px, axis=1) > 20.0]
    if not objects or not len(arm_px):
        return None
    thing = int(rng.choice(objects))
    point = _grabbed_point(truth, thing)
    way = (arm_px[rng.integers(len(arm_px))] - truth.points_px[point]) * rng.uniform(1.5, 2.2)
    return _carry_out(scene, truth, [thing], [point], [way])


def _carry_out(scene: TabletopScene, truth: Truth, things: list[int], points: list[int],
               ways: list[np.ndarray]) -> Acted | None:
    """Straight on, smoothly, within the second; None where a way leads out of the picture."""
    starts = truth.points_px[points].astype(np.float64)
    ends = starts + ways
    if (ends < 0).any() or (ends > np.array(SIZE) - 1).any():
        return None
    times_secs = np.linspace(0, N_FUTURE / FRAME_RATE_HZ, N_FUTURE + 1)
    shares = np.array([minimum_jerk(secs) for secs in times_secs])[:, None]
    grabbed = scene.carry_out(DragCommand(
        drag_id='', operator_id='', mode=DragMode.ANIMATE, image_size=SIZE, stamp_ns=0,
        handles=tuple(DragHandle(path_px=start + shares * way, times_secs=times_secs)
                      for start, way in zip(starts, ways))))
    if grabbed != [scene.things[thing].name for thing in things]:
        return None
    return Acted(things=tuple(things), points=tuple(points))


def _turn(scene: TabletopScene, truth: Truth, rng: np.random.Generator,
          motion: Motion) -> Acted | None:
    """An object about its middle."""
    objects = [thing for thing in _free_things(scene, truth) if thing > 1]
    if not objects:
        return None
    thing = int(rng.choice(objects))
    own = np.flatnonzero(truth.point_thing == thing)
    middle, *rim = own
    seen = [point for point in rim if truth.point_visible[point]]
    if not seen:
        return None
    away_px = np.linalg.norm(truth.points_px[seen] - truth.points_px[middle], axis=1)
    point = int(seen[away_px.argmax()])
    world = scene.snapshot()
    angle = float(rng.choice([-1, 1]) * rng.uniform(*TURN_RAD))
    world.operator = MovedObject(
        world.operator, thing - 2, turn_about(world.points()[middle, :2]), angle=angle,
        secs=N_FUTURE / FRAME_RATE_HZ)
    scene.rewind(world)
    return Acted(things=(thing,), points=(point,), centre=int(middle))


def _swing(scene: TabletopScene, truth: Truth, rng: np.random.Generator,
           motion: Motion) -> Acted | None:
    """A lid or a link about its hinge; the operator says only where its end goes."""
    world = scene.snapshot()
    limbs = {thing: world.shapes[thing - 2].limb for thing in _free_things(scene, truth)
             if thing > 1 and world.shapes[thing - 2].limb is not None}
    if not limbs:
        return None
    thing = int(rng.choice(list(limbs)))
    limb = limbs[thing]
    assert limb is not None
    own = np.flatnonzero(truth.point_thing == thing)[-len(limb.points):]
    seen = own[truth.point_visible[own]]
    now = world.poses[thing - 2, 4]
    angle = float(rng.choice([-1, 1]) * rng.uniform(*SWING_RAD))
    if not len(seen) or not limb.range[0] <= now + angle <= limb.range[1]:
        return None
    world.operator = MovedObject(
        world.operator, thing - 2, swing, angle=angle, secs=N_FUTURE / FRAME_RATE_HZ)
    scene.rewind(world)
    return Acted(things=(thing,), points=(int(seen[0]),),
                 limb_points=tuple(map(int, own)))


def _turn_hand(scene: TabletopScene, truth: Truth, rng: np.random.Generator,
               motion: Motion) -> Acted | None:
    """A gripper that holds nothing, by a fingertip, about the point between them."""
    hands = [thing for thing in _free_things(scene, truth) if thing <= 1]
    if not hands:
        return None
    side = int(rng.choice(hands))
    middle, _, *tips = np.flatnonzero(truth.point_thing == side)
    seen = [tip for tip in tips if truth.point_visible[tip]]
    if not seen:
        return None
    world = scene.snapshot()
    angle = float(rng.choice([-1, 1]) * rng.uniform(*TURN_RAD))
    world.operator = TurnedHand(
        world.operator, side, angle=angle, secs=N_FUTURE / FRAME_RATE_HZ)
    scene.rewind(world)
    return Acted(things=(side,), points=(int(rng.choice(seen)),), centre=int(middle))


def _free_things(scene: TabletopScene, truth: Truth) -> list[int]:
    """Grippers and objects that are well seen and do not hold each other."""
    hands = scene.snapshot().operator.hands
    held = {side for side, hand in enumerate(hands) if hand.held is not None}
    held |= {hand.held + 2 for hand in hands if hand.held is not None}
    return [
        thing for thing, described in enumerate(truth.things)
        if described.kind != 'static' and thing not in held
        and truth.point_visible[_grabbed_point(truth, thing)]
        and (truth.mask == thing + 1).sum() >= LEAST_AREA_PX]


def _grabbed_point(truth: Truth, thing: int) -> int:
    """A gripper's palm, the middle of an object's top."""
    own = np.flatnonzero(truth.point_thing == thing)
    return int(own[PALM_POINT if truth.things[thing].kind == 'gripper' else 0])


def _direction(rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)])


MOTIONS = {
    'rotate': Motion(length_px=(5.0, 40.0), act=_turn, least_left_share=0.0),
    'deform': Motion(length_px=(8.0, 40.0), act=_swing, least_left_share=0.1),
    'two_handles': Motion(length_px=(10.0, 40.0), act=_shift_two),
    'edit': Motion(length_px=(10.0, 40.0), act=_shift_one),
    'long': Motion(length_px=(40.0, 80.0), act=_shift_one),
    'through_occlusion': Motion(length_px=(12.0, 64.0), act=_shift_under_an_arm),
    'turn_hand': Motion(length_px=(4.0, 40.0), act=_turn_hand, least_left_share=0.0),
}
