"""The console command ``dragstream``: finds the sub-command and hands over."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
from collections.abc import Sequence

from dragstream_ros.blas import keep_blas_to_one_thread

# A sub-command is a module with add_arguments(parser) and main(args). Only the one asked for is
# imported, so that --help answers at once: most of them import torch.
COMMANDS = {
    'demo': ('dragstream_ros.evaluation.demo', 'watch it work on a simulated robot'),
    'run': ('dragstream_ros.runner', 'start a group of nodes on a machine without `ros2 launch`'),
    'bench': ('dragstream_ros.evaluation.bench', 'measure speed, latency and accuracy'),
    'plan': (
        'dragstream_ros.evaluation.plan_command',
        'find the drag that leads to a goal picture, by predictions'),
    'replay': ('dragstream_ros.evaluation.replay', 'predict along a recorded bag'),
    'evaluate': (
        'dragstream_ros.evaluation.footage.evaluate',
        'compare predictions with what was recorded in bags and videos'),
    'convert': (
        'dragstream_ros.world_models.wan.convert',
        'turn downloaded Wan weights into a model folder'),
    'models': ('dragstream_ros.world_models.installed', 'list world models and what they need'),
    'train': ('dragstream_ros.training.cli', 'fit the world model to your robot, or train it anew'),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a sub-command.

    :param arguments: as typed after ``dragstream``; None: of this process
    :returns: the exit status, 0 for success
    """
    keep_blas_to_one_thread()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        prog='dragstream', description="Drag in a robot's camera picture, get predicted video."
    )
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    chosen = next((word for word in arguments if not word.startswith('-')), None)
    for name, (module_name, summary) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        if name == chosen:
            module = importlib.import_module(module_name)
            module.add_arguments(command)
            command.set_defaults(main=module.main)
    args = parser.parse_args(arguments)
    return int(args.main(args) or 0)


if __name__ == '__main__':
    sys.exit(main())
