"""What both trainings share: AdamW, a time-bound schedule, averaged weights, logs."""
from __future__ import annotations

import copy
import csv
import math
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn


class Loop:
    """Use as ``for _ in loop.steps(module, ...): ... loop.update(loss, psnr=...)``.

    At the end the module holds the exponential moving average of its weights.
    """

    def __init__(self, folder: Path, name: str, *, ema: float = 0.999,
                 checkpoint_secs: float = 300.0) -> None:
        self.folder, self.name, self.decay = folder, name, ema
        self.checkpoint_secs = checkpoint_secs

    def steps(self, module: nn.Module, *, minutes: float, learning_rate: float) -> Iterator[int]:
        self.module, self.average = module.train(), copy.deepcopy(module).requires_grad_(False)
        self.optimizer = torch.optim.AdamW(module.parameters(), learning_rate, betas=(0.9, 0.98),
                                           weight_decay=0.01)
        start = saved = logged = time.monotonic()
        self.step, self.count = 0, 0
        self.sums: dict[str, float] = {}
        with (self.folder / f'{self.name}.csv').open('w', newline='') as file:
            log = csv.writer(file)
            while (now := time.monotonic()) - start < 60 * minutes:
                progress = (now - start) / (60 * minutes)
                warm = min(1.0, (self.step + 1) / 50)
                for group in self.optimizer.param_groups:
                    group['lr'] = learning_rate * warm * 0.5 * (1 + math.cos(math.pi * progress))
                yield self.step
                self.step += 1
                if now - logged > 20:
                    logged = now
                    means = {k: round(v / self.count, 5) for k, v in self.sums.items()}
                    log.writerow([self.step, round(now - start), *means.values()])
                    file.flush()
                    print(f'{self.name} {self.step} {progress:.0%} {means}', flush=True)
                    self.sums, self.count = {}, 0
                if now - saved > self.checkpoint_secs:
                    saved = now
                    self.save()
        module.load_state_dict(self.average.state_dict())
        self.save()

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

    def save(self) -> None:
        path = self.folder / f'{self.name}.safetensors'
        save_file(self.average.state_dict(), path.with_suffix('.part'))
        path.with_suffix('.part').rename(path)
