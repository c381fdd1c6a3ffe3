"""What goals cost the live stream: its rate alone, and beside goals that never end."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass

import numpy as np

from dragstream_ros.core.drag_guidance import DragGuidanceConfig
from dragstream_ros.core.stream import DragStream, StreamConfig
from dragstream_ros.core.world_model import WorldModel
from dragstream_ros.evaluation.table_film import camera_film
from dragstream_ros.lanes import lanes_for
from dragstream_ros.masks.once_per_picture import OncePerPicture
from dragstream_ros.masks.touched_region import touched_region
from dragstream_ros.planning.candidates import smooth_drag
from dragstream_ros.planning.goal_distance import encoder_of
from dragstream_ros.worker.frame_intake import ModelFrame
from dragstream_ros.worker.protocol import Chunk, GoalDone, GoalProgress, StartGoal, StreamSettings
from dragstream_ros.worker.session import PredictionSession

NS = 1_000_000_000
FILM_FRAMES = 16  # then from the start
WANTS_ALL_HZ = 30.0  # anchors: more than any computer here can serve


@dataclass(frozen=True, kw_only=True)
class PlanLoadConfig:
    """secs: alone, and beside goals. planning_shares: the parameter's values that are tried."""

    secs: float = 16.0
    candidates: int = 16
    planning_shares: tuple[float, ...] = (0.2, 0.5, 0.8)


def run_plan_load(world_model: WorldModel, config: PlanLoadConfig) -> list[dict[str, float]]:
    """Live chunks a second of a stream that always has work, by planning_share; plain data."""
    return [_run(world_model, config, planning_share) for planning_share in config.planning_shares]


def _run(
    world_model: WorldModel, config: PlanLoadConfig, planning_share: float
) -> dict[str, float]:
    """One session, first alone and then beside goals; in real time, but no camera frame is late."""
    session, ids = _session(world_model, planning_share), itertools.count(1)
    film, n_live, n_futures, n_fed = camera_film(world_model.image_size, FILM_FRAMES), [0, 0], 0, 0
    started, goal_runs = time.monotonic(), False
    while (now := time.monotonic() - started) < 2 * config.secs:
        is_beside = now > config.secs
        while n_fed * world_model.frame_period_secs <= now:
            session.feed([_frame(film, n_fed, world_model)])
            n_fed += 1
        if is_beside and not goal_runs:
            session.handle(_goal(next(ids), config.candidates, world_model, n_fed))
            goal_runs = True
        for event in session.step():
            n_live[is_beside] += isinstance(event, Chunk)
            if isinstance(event, GoalProgress):
                n_futures += len(event.futures)
            goal_runs = goal_runs and not isinstance(event, GoalDone)
    alone_hz, live_hz = (count / config.secs for count in n_live)
    return {
        'planning_share': planning_share, 'alone_hz': alone_hz, 'live_hz': live_hz,
        'futures_hz': n_futures / config.secs}


def _session(world_model: WorldModel, planning_share: float) -> PredictionSession:
    return PredictionSession(
        model_size=world_model.image_size, frame_period_secs=world_model.frame_period_secs,
        settings=StreamSettings(anchor_rate_hz=WANTS_ALL_HZ),
        make_stream=lambda settings, locate: DragStream(
            world_model, DragGuidanceConfig.profile('fast'),
            StreamConfig(anchor_rate_hz=settings.anchor_rate_hz), locate,
            OncePerPicture(touched_region)),
        planning_share=planning_share, lanes=lanes_for(world_model),
        encode=encoder_of(world_model))


def _frame(film: np.ndarray, index: int, world_model: WorldModel) -> ModelFrame:
    return ModelFrame(
        pixels=film[index % len(film)], camera_size=world_model.image_size,
        stamp_ns=round((index + 1) * world_model.frame_period_secs * NS), arrival_ns=0,
        generation=0)


def _goal(goal_id: int, candidates: int, world_model: WorldModel, n_fed: int) -> StartGoal:
    stamp_ns = round(n_fed * world_model.frame_period_secs * NS)  # of the newest frame
    middle = np.array(world_model.image_size) / 2
    return StartGoal(
        goal_id=goal_id, horizon_secs=1.0, generation=0, candidates=tuple(
            smooth_drag(middle, middle + (index, 10.0), image_size=world_model.image_size,
                        stamp_ns=stamp_ns)
            for index in range(candidates)))
