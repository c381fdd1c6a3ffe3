"""``dragstream bench``: measures accuracy, speed, steadiness and latency; writes JSON and tables.

docs/benchmarks.md says what each number means.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from dragstream_ros.core.drag_guidance import PROFILES
from dragstream_ros.core.world_model import WorldModel
from dragstream_ros.errors import DragStreamError
from dragstream_ros.evaluation import bench_table
from dragstream_ros.evaluation.console_load import (
    ConsoleBenchError,
    ConsoleLoadConfig,
    run_console_load,
)
from dragstream_ros.evaluation.drag_benchmark import DragBenchmarkConfig, run_drag_benchmark
from dragstream_ros.evaluation.drag_cases import DragCaseConfig
from dragstream_ros.evaluation.drag_drift import DriftConfig
from dragstream_ros.evaluation.drag_pictures import DragPictures
from dragstream_ros.evaluation.drag_plots import write_plots
from dragstream_ros.evaluation.drag_systems import DEFAULT_SYSTEMS, SYSTEMS
from dragstream_ros.evaluation.flatness import FlatnessConfig, run_flatness
from dragstream_ros.evaluation.footage_load import (
    FootageBenchError,
    FootageLoadConfig,
    run_footage_load,
)
from dragstream_ros.evaluation.free_run import FreeRunConfig
from dragstream_ros.evaluation.held_out_scenes import SceneConfig
from dragstream_ros.evaluation.machine import describe_machine, describe_run
from dragstream_ros.evaluation.model_benchmark import ModelBenchmarkConfig, run_model_benchmark
from dragstream_ros.evaluation.model_pictures import ModelPictures
from dragstream_ros.evaluation.plan_benchmark import PlanBenchmarkConfig, run_plan_benchmark
from dragstream_ros.evaluation.plan_cases import PlanCaseConfig
from dragstream_ros.evaluation.plan_cost import PlanCostConfig, run_plan_cost
from dragstream_ros.evaluation.plan_goals import PlanGoalsConfig
from dragstream_ros.evaluation.plan_load import PlanLoadConfig
from dragstream_ros.evaluation.plan_pictures import PlanPictures
from dragstream_ros.evaluation.plan_systems import QUICK_PASSES
from dragstream_ros.evaluation.rate_grid import RateGridConfig, run_rate_grid
from dragstream_ros.evaluation.ros_latency import RosBenchError, RosLatencyConfig, run_ros_latency
from dragstream_ros.evaluation.side_motion import SideMotionConfig
from dragstream_ros.evaluation.speed import SpeedConfig, run_speed
from dragstream_ros.simulation.no_graphics import NoGraphics
from dragstream_ros.world_models import load_world_model, set_up_inference
from dragstream_ros.world_models.tabletop.model import NAME, WEIGHTS
from dragstream_ros.world_models.wan.needs_diffusers import needs_diffusers

Config = TypeVar('Config')

PARTS = ('drags', 'model', 'speed', 'flat', 'ros', 'console', 'footage')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line of ``dragstream bench``."""
    parser.add_argument(
        'part', nargs='?', default='all', choices=[*PARTS, 'rates', 'plan', 'goals', 'gpu', 'all'],
        help='drags: does what is dragged go where it should; model: how good are predictions; '
        'speed: predicted seconds per second; flat: do cost and memory grow; '
        'ros: latencies over DDS; console: how soon the web page answers and what pages cost; '
        'footage: time and memory of evaluating a short and a long bag; '
        'rates: how far and how often guidance should step; '
        'plan: are things brought where a goal picture has them, which takes an hour (Ctrl-C: what '
        'is done is told); '
        'goals: what goals cost, how soon they are answered, and that none is lost; '
        'gpu: how fast Wan streams on this GPU, without its weights '
        '(default: all but rates, plan, goals and gpu)')
    parser.add_argument('--quick', action='store_true', help='a fraction of the work, to try it')
    parser.add_argument('--output', type=Path, default=Path('bench.json'), help='JSON file')
    parser.add_argument('--weights', type=Path, help='folder of other weights than the bundled')
    parser.add_argument(
        '--profile', default='fast', choices=PROFILES, help='speed, flat: of guidance')
    parser.add_argument(
        '--systems', nargs='+', default=list(DEFAULT_SYSTEMS), metavar='SYSTEM',
        choices=[*SYSTEMS, 'all'], help=f'drags: all, or some of {", ".join(SYSTEMS)}')
    parser.add_argument(
        '--per-class', type=int, metavar='N',
        help='drags: only the first N of each class, where all systems on all would take too long')
    parser.add_argument(
        '--first-seed', type=int,
        help='drags, model: of other scenes than the published ones, to choose by (2000000)')
    parser.add_argument(
        '--pictures', type=Path,
        help='drags, rates, model, plan: folder for plots, a picture of every drag, model.png, '
        'plan.jpg')


def main(args: argparse.Namespace) -> int:
    """Measure, print the tables, write the JSON; 0 if all parts could be measured."""
    set_up_inference()          # as in the worker
    logging.basicConfig(level=logging.WARNING, format='%(message)s')
    try:
        if args.part == 'gpu':      # none of the bundled model
            with needs_diffusers('The benchmark of a GPU'):
                from dragstream_ros.evaluation.gpu_benchmark import bench_gpu
            return bench_gpu(args)
        world_model = load_world_model(folder=str(args.weights or ''))
        report = _measure(world_model, args)
    except (DragStreamError, NoGraphics, RosBenchError, ConsoleBenchError,
            FootageBenchError) as error:
        print(f'dragstream bench: {error}', file=sys.stderr)
        return 1
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(report, indent=1) + '\n')
    print(f'\nAll numbers are in {args.output}.')
    return 0


def _measure(world_model: WorldModel, args: argparse.Namespace) -> dict[str, Any]:
    parts = PARTS if args.part == 'all' else (args.part,)
    configs = _configs(args)
    weights = (args.weights or WEIGHTS) / f'{NAME}.safetensors'
    # Before the work: later, the load is our own.
    report: dict[str, Any] = {
        'machine': describe_machine(),
        **describe_run(weights, {part: asdict(configs[part]) for part in parts}),
        'results': {}}
    print(bench_table.describe_header(report), flush=True)
    runs: dict[str, Callable[[], dict[str, Any]]] = {
        'drags': lambda: run_drag_benchmark(
            world_model, configs['drags'], DragPictures(args.pictures, sys.stderr)),
        'rates': lambda: run_rate_grid(
            world_model, configs['rates'],
            lambda case: print(case.name, file=sys.stderr, flush=True)),
        'model': lambda: run_model_benchmark(
            world_model, configs['model'], ModelPictures(args.pictures, sys.stderr)),
        'plan': lambda: run_plan_benchmark(world_model, configs['plan'], PlanPictures(
            args.pictures and args.pictures / 'plan.jpg', sys.stderr)),
        'goals': lambda: run_plan_cost(world_model, configs['goals']),
        'speed': lambda: run_speed(world_model, configs['speed']),
        'flat': lambda: run_flatness(world_model, configs['flat']),
        'ros': lambda: run_ros_latency(configs['ros']),
        'console': lambda: run_console_load(configs['console']),
        'footage': lambda: run_footage_load(configs['footage'])}
    for part in parts:
        report['results'][part] = runs[part]()
        if args.pictures is not None:
            write_plots(args.pictures, part, report['results'][part])
        print('\n' + bench_table.TABLES[part](report['results'][part]), flush=True)
    return report


def _configs(args: argparse.Namespace) -> dict[str, Any]:
    drags = DragBenchmarkConfig(
        systems=tuple(SYSTEMS if 'all' in args.systems else args.systems))
    rates = RateGridConfig()
    model, plan = ModelBenchmarkConfig(), PlanBenchmarkConfig()
    goals = PlanCostConfig(goals=PlanGoalsConfig(weights_folder=str(args.weights or '')))
    speed, flat = SpeedConfig(profile=args.profile), FlatnessConfig(profile=args.profile)
    ros = RosLatencyConfig(weights_folder=str(args.weights or ''))
    console = ConsoleLoadConfig(weights_folder=str(args.weights or ''))
    footage = FootageLoadConfig(weights_folder=str(args.weights or ''))
    if args.quick:
        drags = replace(drags, cases=DragCaseConfig(n_per_kind=4, n_acted=2),
                        drift=DriftConfig(scenes=1, looks=(5, 10)))
        rates = replace(rates, rates=(0.1,), iterations=(2,), cases=DragCaseConfig(
            n_per_kind=1, first_seed=rates.cases.first_seed))
        model = ModelBenchmarkConfig(
            scenes=SceneConfig(scenes=4),
            side_motion=SideMotionConfig(cases=DragCaseConfig(n_per_kind=2)),
            free_run=FreeRunConfig(scenes=3, times_secs=(1.0, 5.0)))
        plan = PlanBenchmarkConfig(passes=QUICK_PASSES, cases=PlanCaseConfig(scenes=6))
        goals = replace(goals, load=PlanLoadConfig(secs=4.0),
                        goals=replace(goals.goals, answers=1, goals=20, alone_secs=5.0))
        speed = replace(speed, predictions=8)
        flat = replace(flat, chunks=100, guided_chunks=20)
        ros = replace(ros, secs=10.0)
        console = replace(console, drags=5, pairs=2)
        footage = replace(footage, secs=4.0, times_longer=2)
    if args.per_class is not None:
        drags = replace(drags, cases=replace(
            drags.cases, n_per_kind=-(-args.per_class // 2), n_acted=args.per_class))
    if args.first_seed is not None:
        drags = _of_scenes(drags, args.first_seed)
        model = _of_scenes(model, args.first_seed)
    return {'drags': drags, 'rates': rates, 'model': model, 'plan': plan, 'goals': goals,
            'speed': speed, 'flat': flat, 'ros': ros, 'console': console, 'footage': footage}


def _of_scenes(config: Config, first_seed: int) -> Config:
    """The config and all in it, with other scenes."""
    changes = {field.name: first_seed if field.name == 'first_seed'
               else _of_scenes(getattr(config, field.name), first_seed)
               for field in fields(config)     # type: ignore[arg-type]
               if field.name == 'first_seed' or is_dataclass(getattr(config, field.name))}
    return replace(config, **changes)          # type: ignore[type-var]
