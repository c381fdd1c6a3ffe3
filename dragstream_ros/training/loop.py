"""What all trainings share: AdamW, a schedule, averaged weights, curves, pictures, checkpoints."""
from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dragstream_ros.training.checkpoint import read_checkpoint, write_checkpoint
from dragstream_ros.training.curves import Row, write_curves
from dragstream_ros.training.errors import TrainingError
from dragstream_ros.training.pictures import Strips, write_pictures

ROWS = 100              # of the curves, over a whole training
WARM_STEPS = 50         # while the learning rate rises


class Loop:
    """Use as ``for _ in loop.steps(module, ...): ... loop.update(loss, psnr=...)``.

    Draw from ``loop.rng`` and from torch's own generator: both are seeded, and their states are
    kept with everything else in NAME.checkpoint.safetensors, every checkpoint_secs and at the end.
    A loop that finds this file goes on from there, so that on a CPU, with as many threads, a
    training that was killed ends in the same bytes as one that was not.  One that had ended takes
    no more steps.  At the end the module holds the exponential moving average of its weights.
    """

    def __init__(self, folder: Path, name: str, *, ema: float = 0.999,
                 checkpoint_secs: float = 60.0, picture_secs: float = 180.0) -> None:
        self.folder, self.name, self.decay = folder, name, ema
        self.checkpoint_secs, self.picture_secs = checkpoint_secs, picture_secs
        self.rng = np.random.default_rng(0)
        self.step, self.count = 0, 0
        self.sums: dict[str, float] = {}
        self.rows: list[Row] = []

    def steps(self, module: nn.Module, *, steps: int, learning_rate: float,
              pictures: Callable[[], Strips] | None = None) -> Iterator[int]:
        """Count the steps; ``pictures`` makes strips with the averaged weights now and then."""
        self.module, self.average = module.train(), copy.deepcopy(module).requires_grad_(False)
        self.optimizer = torch.optim.AdamW(module.parameters(), learning_rate, betas=(0.9, 0.98),
                                           weight_decay=0.01)
        self.begun = time.monotonic()
        torch.manual_seed(0)
        if self._checkpoint.is_file():
            self._resume()
        saved = drawn = time.monotonic()
        began_at = self.step
        while self.step < steps:
            warm = min(1.0, (self.step + 1) / WARM_STEPS)
            for group in self.optimizer.param_groups:
                group['lr'] = (learning_rate * warm
                               * 0.5 * (1 + math.cos(math.pi * self.step / steps)))
            yield self.step
            self.step += 1
            if self.step % max(1, steps // ROWS) == 0 or self.step == steps:
                self._log(steps)
            if time.monotonic() - drawn > self.picture_secs:
                self._draw(pictures)
                drawn = time.monotonic()
            if time.monotonic() - saved > self.checkpoint_secs:
                self._save()
                saved = time.monotonic()
        module.load_state_dict(self.average.state_dict())
        if self.step > began_at:
            self._draw(pictures)
            self._save()

    def update(self, loss: torch.Tensor, **shown: torch.Tensor) -> None:
        """Take one optimisation step; ``shown`` are logged as means."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        self.optimizer.step()
        decay = min(self.decay, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            for mean, value in zip(self.average.state_dict().values(),
                                   self.module.state_dict().values(), strict=True):
                mean.lerp_(value, 1 - decay)
        for key, value in {'loss': loss, **shown}.items():
            self.sums[key] = self.sums.get(key, 0.0) + float(value.detach())
        self.count += 1

    def forget(self) -> None:
        """Let the next ``steps`` begin anew."""
        self._checkpoint.unlink(missing_ok=True)

    @property
    def _checkpoint(self) -> Path:
        return self.folder / f'{self.name}.checkpoint.safetensors'

    def _secs(self) -> float:
        """How long it has been trained, time between a kill and the resumption not counted."""
        return time.monotonic() - self.begun

    def _log(self, steps: int) -> None:
        means = {key: round(value / self.count, 5) for key, value in self.sums.items()}
        self.rows.append({'step': self.step, 'secs': round(self._secs()), **means})
        left = timedelta(seconds=round(self._secs() / self.step * (steps - self.step)))
        shown = ', '.join(f'{key} {value:.4g}' for key, value in means.items())
        print(f'{self.name} {self.step} of {steps}, {left} left: {shown}', flush=True)
        self.sums, self.count = {}, 0

    def _draw(self, pictures: Callable[[], Strips] | None) -> None:
        """Make strips with the averaged weights and leave no trace: not in them, nor in chance."""
        if pictures is None:
            return
        trained = copy.deepcopy(self.module.state_dict())
        self.module.load_state_dict(self.average.state_dict())
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(0)
            write_pictures(self.folder / f'{self.name}.pictures.png', pictures())
        self.module.load_state_dict(trained)

    def _save(self) -> None:
        moments = {f'{index}.{key}': value
                   for index, moment in self.optimizer.state_dict()['state'].items()
                   for key, value in moment.items()}
        groups = {'module': self.module.state_dict(), 'average': self.average.state_dict(),
                  'optimizer': moments, 'torch': {'rng': torch.get_rng_state()}}
        write_checkpoint(self._checkpoint, groups, {
            'step': self.step, 'secs': self._secs(), 'rng': self.rng.bit_generator.state,
            'sums': self.sums, 'count': self.count, 'rows': self.rows})
        write_curves(self.folder / f'{self.name}.csv', self.rows)

    def _resume(self) -> None:
        groups, notes = read_checkpoint(self._checkpoint)
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in groups['optimizer'].items():
            index, _, name = key.partition('.')
            moments.setdefault(int(index), {})[name] = value
        try:
            self.module.load_state_dict(groups['module'])
            self.average.load_state_dict(groups['average'])
            self.optimizer.load_state_dict({**self.optimizer.state_dict(), 'state': moments})
            torch.set_rng_state(groups['torch']['rng'])
            self.rng.bit_generator.state = notes['rng']
            self.begun -= notes['secs']
            self.step, self.count, self.sums = notes['step'], notes['count'], notes['sums']
            self.rows = notes['rows']
        except (RuntimeError, KeyError, ValueError) as error:
            raise TrainingError(
                f'{self._checkpoint} is of another model. Delete it, and the same command does '
                'this stage anew.') from error
        print(f'{self.name} {self.step} found in {self._checkpoint}', flush=True)
