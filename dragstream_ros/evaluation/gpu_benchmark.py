"""``dragstream bench gpu``: how fast Wan streams on this GPU; no weights are needed.

Parts are timed for every size and window, whole streams at three points; the other points of the
grid are derived from the parts, and each says which it is.  Without a GPU the same code is
rehearsed on the CPU with a toy of a model, and no time of that is shown.
"""
from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, TypeVar

import torch

from dragstream_ros.core.memory import within_memory
from dragstream_ros.errors import DragStreamError
from dragstream_ros.evaluation.gpu_clock import (
    attainable_bytes_per_sec,
    attainable_flop_per_sec,
    describe_device,
)
from dragstream_ros.evaluation.gpu_model import RandomWan
from dragstream_ros.evaluation.gpu_parts import (
    AutoencoderTimes,
    TransformerTimes,
    time_autoencoder,
    time_transformer,
)
from dragstream_ros.evaluation.gpu_stream import time_stream
from dragstream_ros.evaluation.gpu_table import describe
from dragstream_ros.evaluation.machine import describe_code
from dragstream_ros.whole_file import whole_file
from dragstream_ros.world_models.wan.compiled import CompiledBlock
from dragstream_ros.world_models.wan.config import WanConfig
from dragstream_ros.world_models.wan.cost import (
    WanArchitecture,
    guidance_iteration_flop,
    pass_flop,
)
from dragstream_ros.world_models.wan.memory_plan import plan_memory
from dragstream_ros.world_models.wan.self_forcing import SelfForcingWorldModel
from dragstream_ros.world_models.wan.tiny_decoder import TinyDecoderConfig

Result = TypeVar('Result')


@dataclass(frozen=True, kw_only=True)
class GpuBenchmarkConfig:
    """points: (image_size, window, guided) of whole streams; sigmas are Self-Forcing's.

    compiled_windows: those that are compiled first, as at loading; that takes a minute each.
    """

    architecture: WanArchitecture = WanArchitecture()
    image_sizes: tuple[tuple[int, int], ...] = ((832, 480), (576, 320))
    windows: tuple[int, ...] = (6, 9, 12, 21)
    points: tuple[tuple[tuple[int, int], int, bool], ...] = (
        ((832, 480), 9, False), ((832, 480), 9, True), ((576, 320), 9, True))
    compiled_windows: tuple[int, ...] = (9,)
    taps: tuple[int, ...] = WanConfig.taps
    repeats: int = 5
    chunks: int = 10


REHEARSAL = GpuBenchmarkConfig(
    architecture=WanArchitecture(
        layers=2, heads=2, head_dim=16, ffn_dim=64, time_dim=16, text_dim=16, text_tokens=8,
        vae_base=8, tiny=TinyDecoderConfig(widths=(16, 8, 8, 8))),
    image_sizes=((64, 48), (48, 32)), windows=(9,), taps=(0,), repeats=1, chunks=2,
    points=(((64, 48), 9, False), ((64, 48), 9, True), ((48, 32), 9, True)))


def bench_gpu(args: argparse.Namespace) -> int:
    """Measure, print the table, write JSON and Markdown."""
    logging.disable(logging.WARNING)        # diffusers', on what does not concern random weights
    on_gpu = torch.cuda.is_available()
    config = GpuBenchmarkConfig()
    if not on_gpu:
        config = REHEARSAL
        torch.set_num_threads(1)    # the toy is too small for more
    if args.quick:
        config = replace(config, windows=(9,), repeats=1, chunks=2)
    report = run_gpu_benchmark(config, torch.device('cuda' if on_gpu else 'cpu'))
    text = describe(report)
    print(text)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    for path, content in ((args.output, json.dumps(report, indent=1) + '\n'),
                          (args.output.with_suffix('.md'), text + '\n')):
        with whole_file(path) as partial:
            partial.write_text(content)
    print(f'\nAll numbers are in {args.output}, this table is in {args.output.with_suffix(".md")}.')
    return 0


def run_gpu_benchmark(config: GpuBenchmarkConfig, device: torch.device) -> dict[str, Any]:
    """Measure everything; plain data for JSON, times in s."""
    dtype = torch.bfloat16 if device.type == 'cuda' else torch.float32
    report: dict[str, Any] = {
        'rehearsal': device.type != 'cuda', **describe_code(), 'device': describe_device(device),
        'dtype': str(dtype).removeprefix('torch.'),
        'attainable_flop_per_sec': attainable_flop_per_sec(device, dtype),
        'attainable_bytes_per_sec': attainable_bytes_per_sec(device),
        'config': asdict(config), 'sizes': [], 'parts': [], 'grid': []}
    parts = _if_it_fits(lambda: RandomWan.of(config.architecture, device, dtype))
    if parts is None:
        return report
    for image_size in config.image_sizes:
        run = WanConfig(image_size=image_size, decoder='tiny', taps=config.taps)
        _say(f'{_name(image_size)}: encoder and decoders')
        autoencoder = _if_it_fits(partial(time_autoencoder, parts, run, repeats=config.repeats))
        if autoencoder is not None:
            report['sizes'].append({'image_size': image_size, **asdict(autoencoder)})
        for window in config.windows:
            at = replace(run, window=window, sink=min(3, window - run.latents_per_chunk - 1))
            _say(f'{_name(image_size)}, window {window}: passes and guidance')
            model = _if_it_fits(partial(_model, config, parts, at))
            if model is None:
                continue
            times = _if_it_fits(partial(time_transformer, model, repeats=config.repeats))
            if times is None:
                continue
            report['parts'].append({
                **_part(config, at, times, report['attainable_flop_per_sec']),
                'compiled': isinstance(model.wan.through_block, CompiledBlock)})
            if autoencoder is not None:
                report['grid'] += _derived(at, autoencoder, times)
    for point in config.points:
        _measure_point(config, parts, report, point)
    return report


def _model(config: GpuBenchmarkConfig, parts: RandomWan, at: WanConfig) -> SelfForcingWorldModel:
    model = parts.world_model(at)
    if at.window in config.compiled_windows:
        _say('compiling')
        model.compile_if_worthwhile()
    return model


def _part(config: GpuBenchmarkConfig, at: WanConfig, times: TransformerTimes,
          attainable: float) -> dict[str, Any]:
    a, blocks = config.architecture, max(at.taps) + 1
    return {
        'image_size': at.image_size, 'window': at.window, **asdict(times),
        'denoise_share': pass_flop(a, at) / times.denoise / attainable,
        'fast_share': guidance_iteration_flop(a, at, blocks=blocks)
        / times.iterations['fast'] / attainable,
        'fast_of_naive': times.iterations['fast'] / times.iterations['naive'],
        'planned_bytes': plan_memory(a, at, 'bfloat16').total}


def _derived(at: WanConfig, autoencoder: AutoencoderTimes,
             times: TransformerTimes) -> list[dict[str, Any]]:
    """Frames a second of all ways to run, with the tiny decoder, from the times of the parts."""
    frames = 4 * at.latents_per_chunk
    free = len(at.sigmas) * times.denoise + times.commit + autoencoder.decode_tiny
    # The camera's frames are encoded, remembered a latent at a time, and decoded, so that the
    # decoder can go on from them.
    camera = (autoencoder.encode + at.latents_per_chunk * times.commit_latent
              + autoencoder.decode_tiny)
    secs = {'free-running': free, 'anchored': free + camera, 'guided': free + times.guide}
    return [{'image_size': at.image_size, 'window': at.window, 'way': way, 'how': 'derived',
             'chunk_secs': chunk, 'frames_per_sec': frames / chunk,
             'derived_frames_per_sec': frames / chunk} for way, chunk in secs.items()]


def _measure_point(config: GpuBenchmarkConfig, parts: RandomWan, report: dict[str, Any],
                   point: tuple[tuple[int, int], int, bool]) -> None:
    """Time a whole stream and put it in the place of what was derived."""
    image_size, window, guided = point
    way = 'guided' if guided else 'free-running'
    rows = [row for row in report['grid'] if (row['image_size'], row['window'], row['way'])
            == (image_size, window, way)]
    if not rows:
        return
    _say(f'{_name(image_size)}, window {window}: a {way} stream')
    at = WanConfig(image_size=image_size, decoder='tiny', taps=config.taps, window=window)
    streamed = _if_it_fits(lambda: time_stream(
        _model(config, parts, at), guided=guided, chunks=config.chunks))
    if streamed is not None:
        rows[0].update(how='measured', **asdict(streamed))


def _if_it_fits(measure: Callable[[], Result]) -> Result | None:
    """None where the memory runs out: then the report goes on without it."""
    try:
        return within_memory(measure, 'it does not fit into the memory of this GPU.')
    except DragStreamError as error:
        _say(f'not measured: {error}')
        return None


def _name(image_size: tuple[int, int]) -> str:
    return f'{image_size[0]}x{image_size[1]}'


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
