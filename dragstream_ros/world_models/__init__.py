"""Causal video models behind one protocol, core.world_model.WorldModel."""
from __future__ import annotations

import importlib
from pathlib import Path

from dragstream_ros.core.world_model import WorldModel
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.lanes import open_inference_lanes
from dragstream_ros.memory import keep_freed_memory

WAN_MODELS = {'self_forcing': 'SelfForcingWorldModel', 'anyflow_far': 'AnyFlowFarWorldModel'}


def set_up_inference() -> None:
    """Compute on two lanes at most, as the other cores are the robot's, and in kept memory.

    An operation of PyTorch or of OpenCV has one thread; lanes.py says why.
    """
    import cv2
    import torch
    keep_freed_memory()
    open_inference_lanes(min(2, torch.get_num_threads()))
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def load_world_model(name: str = 'tabletop', folder: str = '', *,
                     memory_budget_gb: float = 0.0) -> WorldModel:
    """Load a model by name, or your own by 'package.module:function'.

    folder: where its weights are; empty for the bundled ones.  A function named with a colon is
    called with the folder and returns the model.
    memory_budget_gb: what a Wan model may take; 0: all the GPU has.
    """
    path = Path(folder) if folder else None
    if name in WAN_MODELS:
        return _load_wan(name, path, memory_budget_gb)
    if name == 'tabletop':
        from dragstream_ros.world_models.tabletop.model import TabletopWorldModel
        return TabletopWorldModel.load(path)
    module, colon, function = name.partition(':')
    if not colon:
        raise DragStreamError(
            ErrorCode.WEIGHTS_MISSING,
            f"There is no world model called {name!r}: use 'tabletop', 'self_forcing', "
            "'anyflow_far' or 'package.module:function'.")
    model: WorldModel = getattr(importlib.import_module(module), function)(path)
    return model


def _load_wan(name: str, folder: Path | None, memory_budget_gb: float) -> WorldModel:
    from dragstream_ros.world_models.wan.config import WanConfig
    if folder is None:
        raise DragStreamError(
            ErrorCode.WEIGHTS_MISSING,
            f'The world model {name} comes without weights: set weights_folder to a folder as '
            'docs/wan.md describes.')
    WanConfig.read(folder)      # what is wrong there is told before seconds of importing
    from dragstream_ros.core.memory import within_memory
    from dragstream_ros.world_models.wan.needs_diffusers import needs_diffusers
    with needs_diffusers(f'The world model {name}'):
        module = importlib.import_module(f'dragstream_ros.world_models.wan.{name}')
    model_class = getattr(module, WAN_MODELS[name])
    return within_memory(
        lambda: model_class.load(folder, memory_budget_gb=memory_budget_gb),
        'The world model does not fit into the memory: close what else uses the GPU, or take a '
        'smaller one.')
