"""``dragstream train``: the bundled model from nothing, or fitted to one's own robot."""
from __future__ import annotations

import argparse
from pathlib import Path

from dragstream_ros.share import config_file
from dragstream_ros.training.errors import TrainingError
from dragstream_ros.training.own_robot import fit_own_robot
from dragstream_ros.training.stages import (
    STAGES,
    TABLETOP_STAGES,
    StagesConfig,
    TabletopConfig,
    read_config,
)
from dragstream_ros.training.tabletop import train_tabletop
from dragstream_ros.whole_file import remove_partial_files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        'config', type=Path, nargs='?',
        help='a YAML file (default: config/train_own_robot.yaml with --bags or --clips, else '
             'config/train_tabletop.yaml, which makes the bundled model from nothing)')
    parser.add_argument('--bags', type=Path, nargs='+', default=[], metavar='BAG',
                        help="your robot's camera: rosbag2 folders, MCAP or sqlite3 files")
    parser.add_argument('--clips', type=Path, nargs='+', default=[], metavar='VIDEO',
                        help='the same as videos')
    parser.add_argument('--image-topic', default='', help="the bags' camera, where there are more")
    parser.add_argument('--hold-out-every', type=int, default=5, metavar='N',
                        help='every Nth recording is not trained on but measured with; of fewer '
                             "recordings, each one's last Nth (default: %(default)s)")
    parser.add_argument('--folder', type=Path, default=Path('output/training'),
                        help='checkpoints, curves and the result, and a cache of what is simulated')
    parser.add_argument('--from', dest='first', choices=TABLETOP_STAGES,
                        help='do this stage and those after it anew; without it, a training that '
                             'was stopped or killed goes on where it was')


def main(args: argparse.Namespace) -> None:
    try:
        print('written:', _train(args))
    except (TrainingError, OSError) as error:
        raise SystemExit(f'dragstream train: {error}') from error


def _train(args: argparse.Namespace) -> Path:
    recordings = [*args.bags, *args.clips]
    path = args.config or config_file(
        'train_own_robot.yaml' if recordings else 'train_tabletop.yaml')
    args.folder.mkdir(parents=True, exist_ok=True)
    remove_partial_files(args.folder)
    if recordings:
        if args.first and args.first not in STAGES:
            raise TrainingError(f'--from {args.first} is for the simulated tabletop alone.')
        return fit_own_robot(recordings, args.folder, read_config(path, StagesConfig()), args.first,
                             hold_out_every=args.hold_out_every, image_topic=args.image_topic)
    return train_tabletop(args.folder, read_config(path, TabletopConfig()), args.first)
