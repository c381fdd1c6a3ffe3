"""``dragstream evaluate``: predict along recorded footage, compare with what came, and report.

docs/evaluate.md says what each number means.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import sys

from dragstream_ros.core.drag_guidance import PROFILES
from dragstream_ros.errors import DragStreamError
from dragstream_ros.evaluation.drag_plan import DragPlanError
from dragstream_ros.evaluation.footage.case import JudgeConfig
from dragstream_ros.evaluation.footage.crew import Crew
from dragstream_ros.evaluation.footage.errors import EvaluationError, FootageError
from dragstream_ros.evaluation.footage.evaluation import (
    OBSERVED,
    Evaluation,
    EvaluationConfig,
)
from dragstream_ros.evaluation.footage.open_footage import open_footage
from dragstream_ros.evaluation.footage.ray_crew import RayCrew
from dragstream_ros.evaluation.footage.shots import Footage
from dragstream_ros.evaluation.footage.thresholds import parse_threshold
from dragstream_ros.evaluation.footage.windows import WindowConfig
from dragstream_ros.evaluation.image_bag import BagError
from dragstream_ros.evaluation.run_guard import ended_by_signals

DONE, FAILED, WORSE, INCOMPLETE, STOPPED = 0, 1, 3, 4, 130     # 2: argparse's, of a wrong command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line of ``dragstream evaluate``."""
    window = WindowConfig()
    parser.add_argument(
        'footage', nargs='+', type=pathlib.Path,
        help='rosbag2 bags (folders, .mcap or .db3 files) and video files')
    parser.add_argument(
        '--output', type=pathlib.Path, default=pathlib.Path('evaluation'),
        help='new folder for report.html, results.json and timing.json (default: %(default)s)')
    parser.add_argument('--resume', action='store_true', help='go on in the folder --output')
    parser.add_argument(
        '--every', type=float, default=window.every_secs, metavar='SECS',
        help='from one start of a prediction to the next (default: %(default)s)')
    parser.add_argument(
        '--horizon', type=float, default=window.horizon_secs, metavar='SECS',
        help='how far each predicts (default: %(default)s)')
    parser.add_argument(
        '--drags', default=OBSERVED, metavar='FILE[@SECS]',
        help='observed: as things were seen to move (default); recorded: the Drag messages of the '
        'bags; or a file, such as a YAML list of {at_secs, path: [[x, y], ...], duration_secs}. '
        'The last two also say where predictions start')
    parser.add_argument('--image-topic', default='', help='which images, if a bag has several')
    parser.add_argument(
        '--video-rate', type=float, metavar='HZ', help="pictures per second, for the file's own")
    parser.add_argument('--control', choices=('conditioned', 'guidance'), default='conditioned')
    parser.add_argument('--profile', choices=PROFILES, default='fast', help='of guidance')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--world-model', default='tabletop', help="see the predictor's parameter")
    parser.add_argument('--weights', default='', help='folder of other weights than the bundled')
    parser.add_argument(
        '--jobs', type=int, default=min(2, len(os.sched_getaffinity(0))),
        help='processes that work side by side; the numbers stay the same (default: %(default)s)')
    parser.add_argument(
        '--engine', choices=('local', 'ray'), default='local', help='ray: instead of --jobs, the '
        'Ray cluster that RAY_ADDRESS names, or that of this computer; the numbers stay the same')
    parser.add_argument(
        '--fail-under', action='append', default=[], metavar='[SYSTEM.]MEASURE=VALUE',
        help=f'end with status {WORSE} if this mean is worse, as in dragged.psnr_db=18')


def main(args: argparse.Namespace) -> int:
    """Evaluate; 0 if all could be read and no bound is broken."""
    try:
        _require_positive(args)
        bounds = [parse_threshold(text) for text in args.fail_under]
        with ended_by_signals():
            footage, unreadable = _open_all(args)
            if not footage:
                return FAILED
            config = _config(args)
            evaluation = Evaluation(
                config, footage, weights=args.weights, output=args.output, resume=args.resume,
                out=sys.stdout)
            with _crew(args, config.judge) as crew:
                summary, problems = evaluation.run(crew)
    except (EvaluationError, DragPlanError, DragStreamError, OSError) as error:
        print(f'dragstream evaluate: {error}', file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print('dragstream evaluate: stopped; what is done is kept, --resume goes on.',
              file=sys.stderr)
        return STOPPED
    complaints = [text for bound in bounds if (text := bound.complaint(summary))]
    for complaint in complaints:
        print(f'dragstream evaluate: {complaint}', file=sys.stderr)
    if complaints:
        return WORSE
    return INCOMPLETE if problems or unreadable else DONE


def _crew(args: argparse.Namespace, config: JudgeConfig) -> Crew | RayCrew:
    if args.engine == 'ray':
        weights = os.path.abspath(args.weights) if args.weights else ''
        return RayCrew(world_model=args.world_model, weights=weights, config=config)
    return Crew(n_jobs=args.jobs, world_model=args.world_model, weights=args.weights, config=config)


def _require_positive(args: argparse.Namespace) -> None:
    for name in ('every', 'horizon', 'jobs', 'video_rate'):
        value = getattr(args, name)
        if value is not None and not 0 < value < float('inf'):
            raise EvaluationError(f'--{name.replace("_", "-")} is {value:g}; it must be positive.')


def _open_all(args: argparse.Namespace) -> tuple[list[Footage], int]:
    """What can be opened, and how many cannot, which is said."""
    opened, n_unreadable = [], 0
    for path in args.footage:
        try:
            opened.append(open_footage(
                path, image_topic=args.image_topic, video_rate_hz=args.video_rate))
        except (BagError, FootageError) as error:
            print(f'dragstream evaluate: {error}', file=sys.stderr)
            n_unreadable += 1
    return opened, n_unreadable


def _config(args: argparse.Namespace) -> EvaluationConfig:
    return EvaluationConfig(
        world_model=args.world_model, drags=args.drags, image_topic=args.image_topic,
        video_rate_hz=args.video_rate,
        window=WindowConfig(every_secs=args.every, horizon_secs=args.horizon),
        judge=JudgeConfig(control=args.control, profile=args.profile, seed=args.seed))
