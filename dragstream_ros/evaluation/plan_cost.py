"""What goals cost: memory, the live stream's rate, and time until they are answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dragstream_ros.core.world_model import WorldModel
from dragstream_ros.evaluation.plan_goals import PlanGoalsConfig, run_plan_goals
from dragstream_ros.evaluation.plan_load import PlanLoadConfig, run_plan_load
from dragstream_ros.evaluation.plan_memory import measure_branches


@dataclass(frozen=True, kw_only=True)
class PlanCostConfig:
    """branches: how many are held at once, to weigh them."""

    branches: int = 32
    load: PlanLoadConfig = field(default_factory=PlanLoadConfig)
    goals: PlanGoalsConfig = field(default_factory=PlanGoalsConfig)


def run_plan_cost(world_model: WorldModel, config: PlanCostConfig) -> dict[str, Any]:
    """Weigh and measure; plain data for JSON. Raises ros_latency.RosBenchError."""
    return {
        'branches': measure_branches(world_model, n_branches=config.branches),
        'load': run_plan_load(world_model, config.load),
        'goals': run_plan_goals(config.goals)}
