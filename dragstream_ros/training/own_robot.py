"""From the bundled weights to those of one's own robot: fitted to its bags and videos."""
from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dragstream_ros.evaluation.footage.open_footage import sha256_of
from dragstream_ros.evaluation.machine import describe_machine, describe_run
from dragstream_ros.training import before_after
from dragstream_ros.training.checkpoint import read_checkpoint, save_model
from dragstream_ros.training.errors import TrainingError
from dragstream_ros.training.pictures import Strips, write_pictures
from dragstream_ros.training.recorded_episodes import (
    NEW_POINTS_EVERY,
    SHORTEST_FRAMES,
    RecordedEpisode,
    keep,
    kept,
    read_recording,
)
from dragstream_ros.training.stages import STAGES, StagesConfig, begin, train_stages
from dragstream_ros.whole_file import whole_file
from dragstream_ros.world_models.tabletop.model import NAME, WEIGHTS, TabletopWorldModel

Recordings = dict[str, list[RecordedEpisode]]
SHOWN_CLIPS = 6
LIMITS = ('It knows the robot, camera and things of these recordings, and little else. It predicts '
          'a second. It is no safety sensor, and nothing may be commanded by it alone.')


def fit_own_robot(paths: Sequence[Path], folder: Path, config: StagesConfig, first: str | None, *,
                  hold_out_every: int, image_topic: str) -> Path:
    """Fit, or go on; returns the weights file, beside which before_after.json is written.

    :param hold_out_every: see split
    """
    for path in paths:
        if not path.exists():
            raise TrainingError(f'There is no {path}.')
    if hold_out_every < 2:
        raise TrainingError('--hold-out-every must be 2 or more, or nothing is left to train on.')
    hashes = {str(path): sha256_of(path) for path in paths}
    begin(folder, {'recordings': list(hashes.values()), 'image_topic': image_topic,
                   'hold_out_every': hold_out_every, **asdict(config)}, first)
    recordings = {
        name: _look_at(Path(name), folder / f'recording_{sha256[:16]}.npz', image_topic)
        for name, sha256 in hashes.items()}
    seen, held_out = split(recordings, every=hold_out_every)
    starts = before_after.choose_starts(held_out)
    bundled = TabletopWorldModel.load()
    before, shown = _measure(bundled, starts)
    model = _without_tables(bundled)
    episodes = [episode for episodes in seen.values() for episode in episodes]
    train_stages(model, episodes, config, folder, anew=False)
    model.half().float()        # as it will be written
    after, shown_after = _measure(model, starts)

    report = _report(folder, hashes, config, seen, held_out, before, after)
    for name, summary in report['results'].items():
        print('\n' + before_after.describe(f'PSNR, dB: {name}', summary), flush=True)
    with whole_file(folder / 'before_after.json') as partial:
        partial.write_text(json.dumps(report, indent=1) + '\n')
    write_pictures(folder / 'before_after.png', {
        'truth': shown['truth'], 'before': shown['told'], 'after': shown_after['told']})
    card = {key: value for key, value in report.items() if key != 'starts'}
    return save_model(model, folder, {**card, 'limits': LIMITS})


def split(recordings: Recordings, *, every: int) -> tuple[Recordings, Recordings]:
    """What is trained on, and what is held out: every so manieth recording.

    Of fewer recordings, the last one in so many parts of each is held out.
    """
    if len(recordings) >= every:
        held_out = set(list(recordings)[every - 1::every])
        return ({name: found for name, found in recordings.items() if name not in held_out},
                {name: found for name, found in recordings.items() if name in held_out})
    cut = {name: _cut(episodes, 1 - 1 / every) for name, episodes in recordings.items()}
    if not any(first for first, _ in cut.values()):
        raise TrainingError('There is too little to hold some of it out: please record a minute.')
    return ({name: first for name, (first, _) in cut.items() if first},
            {name: last for name, (_, last) in cut.items() if last})


def _without_tables(bundled: TabletopWorldModel) -> TabletopWorldModel:
    """The same, but for what is known of the simulation's tables, things and cameras alone."""
    model = TabletopWorldModel(
        bundled.autoencoder.config, bundled.flow.config, bundled.dynamics.config, bundled.sigmas,
        table_view=None, bare_table=None, whole_thing=None)
    weights = bundled.state_dict()
    model.load_state_dict({name: weights[name] for name in model.state_dict()})
    return model.eval().requires_grad_(False)


def _cut(episodes: Sequence[RecordedEpisode],
         share: float) -> tuple[list[RecordedEpisode], list[RecordedEpisode]]:
    """The first share of a recording's frames, and the rest; pieces that are too short are lost."""
    boundary = round(share * sum(len(episode.frames) for episode in episodes))
    first, last, begun = [], [], 0
    for episode in episodes:
        length = len(episode.frames)
        at = max(boundary - begun, 0) // NEW_POINTS_EVERY * NEW_POINTS_EVERY
        first.append(episode.part(0, min(at, length)))
        last.append(episode.part(min(at, length), length))
        begun += length
    whole = [[part for part in parts if len(part.frames) >= SHORTEST_FRAMES]
             for parts in (first, last)]
    return whole[0], whole[1]


def _look_at(path: Path, cache: Path, image_topic: str) -> list[RecordedEpisode]:
    """The episodes of a recording, from the cache if it was looked at before."""
    if not cache.is_file():
        keep(read_recording(path, image_topic=image_topic), cache)
    episodes = kept(cache)
    print(f'{path}: {_secs(episodes):.0f} s', flush=True)
    return episodes


def _measure(model: TabletopWorldModel, starts: Sequence[before_after.Start],
             ) -> tuple[list[dict[str, Any]], Strips]:
    """Judge all starts, and keep strips of the newest frame and the second after it of a few."""
    if not starts:
        raise TrainingError('What is held out is shorter than two seconds: please record more.')
    chosen = set(np.linspace(0, len(starts) - 1, SHOWN_CLIPS).round().astype(int).tolist())
    judged, strips = [], defaultdict(list)
    for index, start in enumerate(starts):
        frames = before_after.predict(model, start)
        judged.append(before_after.judge(start, frames))
        if index in chosen:
            for name, future in (('truth', start.future), ('told', frames['told'])):
                strip = np.concatenate([start.past[-1:], future[1::2]])
                strips[name].append(torch.from_numpy(strip).permute(0, 3, 1, 2) / 255)
    return judged, {name: torch.stack(clips) for name, clips in strips.items()}


def _secs(episodes: Sequence[RecordedEpisode]) -> float:
    frames = sum(len(episode.frames) for episode in episodes)
    return frames * TabletopWorldModel.frame_period_secs


def _report(folder: Path, hashes: dict[str, str], config: StagesConfig, seen: Recordings,
            held_out: Recordings, before: list[dict[str, Any]],
            after: list[dict[str, Any]]) -> dict[str, Any]:
    hours = sum(read_checkpoint(folder / f'{stage}.checkpoint.safetensors')[1]['secs']
                for stage in STAGES) / 3600
    results = {'all that was held out': before_after.summarise(before, after)}
    for name in dict.fromkeys(row['recording'] for row in before):
        results[name] = before_after.summarise(before, after, name)
    return {
        'recordings': [{'file': name, 'sha256': sha256,
                        'trained_on_secs': round(_secs(seen.get(name, [])), 1),
                        'held_out_secs': round(_secs(held_out.get(name, [])), 1)}
                       for name, sha256 in hashes.items()],
        'command': ' '.join(sys.argv), 'hours': round(hours, 3), 'machine': describe_machine(),
        'started_from': describe_run(WEIGHTS / f'{NAME}.safetensors', asdict(config)),
        'results': results,
        'starts': [{'before': one, 'after': other} for one, other in zip(before, after)]}
