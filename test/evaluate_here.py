"""Evaluates in the process of the tests, with the bundled world model, which is loaded once."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator

import torch

from dragstream_ros.evaluation.footage.case import Judge, JudgeConfig, Judged, Task
from dragstream_ros.evaluation.footage.crew import Crew, ModelFace, face_of
from dragstream_ros.world_models import load_world_model


class CrewHere(Crew):
    """Spares the tests the start of other processes."""

    def __init__(self, **_: object) -> None:
        torch.set_num_threads(1)

    def __exit__(self, *_: object) -> None:
        pass

    def model_face(self) -> ModelFace:
        return face_of(_judge().world_model)

    def judged(self, tasks: Iterable[Task]) -> Iterator[Judged]:
        return map(_judge().judge, tasks)


@functools.cache
def _judge() -> Judge:
    return Judge(load_world_model(), JudgeConfig())


def die(folder: object) -> None:
    """A world model that ends its process; 'evaluate_here:die'."""
    os._exit(9)
