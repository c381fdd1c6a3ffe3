"""What all trainings share: AdamW, a time-bound schedule, averaged weights, curves, checkpoints."""
from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.training.checkpoint import read_checkpoint, whole_file, write_checkpoint
from dragstream_ros.training.curves import Row, write_curves

LOG_SECS = 20.0


class Loop:
    """Use as ``for _ in loop.steps(module, ...): ... loop.update(loss, psnr=...)``.

    Draw from ``loop.rng`` and from torch's own generator: their states are kept with everything
    else in NAME.checkpoint.safetensors, every checkpoint_secs and at the end, and a loop that finds
    this file goes on from there.  One that had ended takes no more steps.  At the end the module
    holds the exponential moving average of its weights.
    """

    def __init__(self, folder: Path, name: str, *, ema: float = 0.999,
                 checkpoint_secs: float = 60.0) -> None:
        self.folder, self.name, self.decay = folder, name, ema
        self.checkpoint_secs = checkpoint_secs
        self.rng = np.random.default_rng(0)
        self.step, self.count = 0, 0
        self.sums: dict[str, float] = {}
        self.rows: list[Row] = []

    def steps(self, module: nn.Module, *, minutes: float, learning_rate: float) -> Iterator[int]:
        self.module, self.average = module.train(), copy.deepcopy(module).requires_grad_(False)
        self.optimizer = torch.optim.AdamW(module.parameters(), learning_rate, betas=(0.9, 0.98),
                                           weight_decay=0.01)
        self.begun = time.monotonic()
        if self._checkpoint.is_file():
            self._resume()
        saved = logged = time.monotonic()
        while (progress := self._secs() / (60 * minutes)) < 1:
            warm = min(1.0, (self.step + 1) / 50)
            for group in self.optimizer.param_groups:
                group['lr'] = learning_rate * warm * 0.5 * (1 + math.cos(math.pi * progress))
            yield self.step
            self.step += 1
            if time.monotonic() - logged > LOG_SECS:
                logged = time.monotonic()
                self._log(progress)
            if time.monotonic() - saved > self.checkpoint_secs:
                saved = time.monotonic()
                self._save()
        if self.count:
            self._log(1.0)
        module.load_state_dict(self.average.state_dict())
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

    def _log(self, progress: float) -> None:
        means = {key: round(value / self.count, 5) for key, value in self.sums.items()}
        self.rows.append({'step': self.step, 'secs': round(self._secs()), **means})
        print(f'{self.name} {self.step} {progress:.0%} {means}', flush=True)
        self.sums, self.count = {}, 0

    def _save(self) -> None:
        moments = {f'{index}.{key}': value
                   for index, moment in self.optimizer.state_dict()['state'].items()
                   for key, value in moment.items()}
        groups = {'module': self.module.state_dict(), 'average': self.average.state_dict(),
                  'optimizer': moments, 'torch': {'rng': torch.get_rng_state()}}
        write_checkpoint(self._checkpoint, groups, {
            'step': self.step, 'secs': self._secs(), 'rng': self.rng.bit_generator.state,
            'sums': self.sums, 'count': self.count, 'rows': self.rows})
        with whole_file(self.folder / f'{self.name}.safetensors') as partial:
            save_file(self.average.state_dict(), partial)
        if self.rows:
            write_curves(self.folder / f'{self.name}.csv', self.rows)

    def _resume(self) -> None:
        groups, notes = read_checkpoint(self._checkpoint)
        try:
            self.module.load_state_dict(groups['module'])
            self.average.load_state_dict(groups['average'])
        except RuntimeError as error:
            raise DragStreamError(
                ErrorCode.WEIGHTS_MISMATCH,
                f'{self._checkpoint} is of another model; train it anew.') from error
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in groups['optimizer'].items():
            index, _, name = key.partition('.')
            moments.setdefault(int(index), {})[name] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), 'state': moments})
        torch.set_rng_state(groups['torch']['rng'])
        self.rng.bit_generator.state = notes['rng']
        self.begun -= notes['secs']
        self.step, self.count, self.sums = notes['step'], notes['count'], notes['sums']
        self.rows = notes['rows']
        print(f'{self.name} {self.step} found in {self._checkpoint}', flush=True)
