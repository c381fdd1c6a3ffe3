"""``dragstream plan``: the best drag for a goal picture, on pictures or by the simulated robot."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dragstream_ros.adapters.letterbox import Letterbox
from dragstream_ros.core.stream import DragStream, StreamConfig
from dragstream_ros.core.world_model import WorldModel
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.evaluation.picture_files import read_picture, write_picture, write_video
from dragstream_ros.evaluation.plan_benchmark import REACHED_PX
from dragstream_ros.evaluation.plan_cases import PlanCase, PlanCaseConfig, make_plan_cases
from dragstream_ros.lanes import lanes_for
from dragstream_ros.masks.once_per_picture import OncePerPicture
from dragstream_ros.masks.touched_region import touched_region
from dragstream_ros.planning.candidates import Idea, ideas_over_scene
from dragstream_ros.planning.cross_entropy import CrossEntropyConfig
from dragstream_ros.planning.goal_distance import PlanningGoal
from dragstream_ros.planning.planner import Plan, Planner, PlannerConfig
from dragstream_ros.planning.stream_futures import StreamFutures
from dragstream_ros.simulation.no_graphics import NoGraphics
from dragstream_ros.world_models import load_world_model, set_up_inference

MOST_DECISIONS = 5
SIMULATED = 2_000_000  # seeds beyond those of the benchmarks
SPREAD_PX = 14.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line of ``dragstream plan``."""
    parser.add_argument(
        'pictures', nargs='*', type=Path,
        help='what the camera saw, oldest first, 0.1 s apart; none: the simulated robot plans and '
        'acts until it has reached its goal')
    parser.add_argument('--goal', type=Path, help='picture of what is wanted')
    parser.add_argument(
        '--grab', type=_point, metavar='X,Y',
        help='px of the last picture: what to drag (default: what differs from the goal)')
    parser.add_argument('--target', type=_point, metavar='X,Y', help='about where to drag it')
    parser.add_argument(
        '--candidates', type=_at_least_two, default=16, help='how many to predict, 2 or more')
    parser.add_argument('--control', default='conditioned', choices=['conditioned', 'guidance'])
    parser.add_argument('--seed', type=int, default=0, help='of the search and the simulated scene')
    parser.add_argument('--weights', type=Path, help='folder of other weights than the bundled')
    parser.add_argument('--output', type=Path, default=Path('output/plan'), help='folder')


def main(args: argparse.Namespace) -> int:
    """Plan, say what was decided, write it; 0 if the goal was reached or a drag was found."""
    set_up_inference()
    try:
        world_model = load_world_model(folder=str(args.weights or ''))
        if not args.pictures:
            return _with_robot(world_model, args)
        if args.goal is None:
            print('dragstream plan: say what is wanted with --goal PICTURE.', file=sys.stderr)
            return 2
        return _on_pictures(world_model, args)
    except (DragStreamError, NoGraphics, OSError) as error:
        print(f'dragstream plan: {error}', file=sys.stderr)
        return 1


def plan_for(
    world_model: WorldModel, past: np.ndarray, *, goal: np.ndarray,
    ideas: Callable[[np.ndarray], list[Idea]], args: argparse.Namespace,
) -> Plan:
    """Plan from frames (T, H, W, 3) of the model's size to a picture of it."""
    period_ns = round(world_model.frame_period_secs * 1e9)
    stream = DragStream(world_model, None, StreamConfig(control=args.control, seed=args.seed),
                        grow=OncePerPicture(touched_region))
    stream.reset(past, [index * period_ns for index in range(len(past))])
    planner = Planner(
        StreamFutures(stream, past[-1], lanes=lanes_for(world_model)),
        image_size=world_model.image_size, config=PlannerConfig(
            search=CrossEntropyConfig(candidates=args.candidates), seed=args.seed))
    return planner.plan(ideas(past[-1]), PlanningGoal(image=goal, start=past[-1]))


def _with_robot(world_model: WorldModel, args: argparse.Namespace) -> int:
    """Look, plan, act, and again, until the thing is where the goal picture has it."""
    # Kept to the end: it closes the case's scene when it goes.
    cases = make_plan_cases(PlanCaseConfig(scenes=1, first_seed=SIMULATED + args.seed))
    case = next(cases)
    print(f'{case.thing} is to go {case.way_px:.0f} px to where the goal picture has it.')
    seen, spread_px = [case.past[-1], case.goal_image], SPREAD_PX
    for number in range(1, MOST_DECISIONS + 1):
        plan = plan_for(
            world_model, case.past, goal=case.goal_image, args=args,
            ideas=lambda picture: [_idea(case, spread_px)])  # noqa: B023, called at once
        foreseen, path = plan.best.future.frames, plan.best.command.handles[0].path_px
        case.go_on(plan.best.command)
        seen += [foreseen[-1], case.past[-1]]
        print(f'{number}: {len(plan.tried)} futures in {plan.secs:.1f} s; dragged '
              f'({path[0, 0]:.0f}, {path[0, 1]:.0f}) to ({path[-1, 0]:.0f}, {path[-1, 1]:.0f}); '
              f'{case.way_px:.1f} px to go')
        if case.way_px <= REACHED_PX:
            break
        spread_px = max(spread_px / 2, REACHED_PX)
    args.output.mkdir(parents=True, exist_ok=True)
    write_picture(args.output / 'closed_loop.png', np.hstack(seen))
    print(f'{args.output / "closed_loop.png"} shows start, goal, and what was foreseen and '
          'what came of it in turns.')
    return 0 if case.way_px <= REACHED_PX else 1


def _idea(case: PlanCase, spread_px: float) -> Idea:
    return Idea(grab_px=case.grab_px, target_px=case.grab_px, spread_px=spread_px,
                holds_px=case.holds_px)


def _on_pictures(world_model: WorldModel, args: argparse.Namespace) -> int:
    pictures = [read_picture(path) for path in [*args.pictures, args.goal]]
    letterbox = Letterbox(pictures[0].shape[1::-1], world_model.image_size)
    if any(picture.shape != pictures[0].shape for picture in pictures):
        print('dragstream plan: all pictures and the goal must be of one size.', file=sys.stderr)
        return 2
    *past, goal = (letterbox.apply(picture) for picture in pictures)

    def ideas(picture: np.ndarray) -> list[Idea]:
        if args.grab is None:
            if found := ideas_over_scene(picture, goal):
                return found
            raise DragStreamError(
                ErrorCode.GOAL_INVALID, 'The goal shows nothing elsewhere than the last picture; '
                'give another goal, or say what to drag with --grab.')
        grab_px = letterbox.to_target(args.grab)
        target_px = grab_px if args.target is None else letterbox.to_target(args.target)
        return [Idea(grab_px=grab_px, target_px=target_px, spread_px=SPREAD_PX)]

    plan = plan_for(world_model, np.stack(past), goal=goal, ideas=ideas, args=args)
    path = letterbox.to_source(plan.best.command.handles[0].path_px)
    args.output.mkdir(parents=True, exist_ok=True)
    clip = letterbox.crop(plan.best.future.frames)
    write_video(args.output / 'best.mp4', clip, rate_hz=1 / world_model.frame_period_secs)
    (args.output / 'plan.json').write_text(json.dumps({
        'path_px': path.tolist(), 'duration_secs': plan.best.command.duration_secs,
        'cost': plan.best.score.cost, 'tried': len(plan.tried), 'secs': plan.secs}, indent=1))
    print(f'Drag ({path[0, 0]:.0f}, {path[0, 1]:.0f}) to ({path[-1, 0]:.0f}, {path[-1, 1]:.0f}): '
          f'the best of {len(plan.tried)} futures, predicted in {plan.secs:.1f} s.\n'
          f'{args.output / "best.mp4"} shows it, {args.output / "plan.json"} has its path.')
    return 0


def _at_least_two(text: str) -> int:
    if int(text) < 2:
        raise argparse.ArgumentTypeError('a search needs at least 2 candidates')
    return int(text)


def _point(text: str) -> np.ndarray:
    x, y = text.split(',')
    return np.array([float(x), float(y)])
