"""Times work on a device that runs behind the program, and says what the device can reach."""
from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable
from typing import Any

import torch

MATMUL_SIZE = {'cuda': 8192, 'cpu': 256}
BANDWIDTH_NUMBERS = {'cuda': 1 << 30, 'cpu': 1 << 20}


def finish(device: torch.device) -> None:
    """Wait until the device has done all it was given."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def median_secs(work: Callable[[], object], device: torch.device, *, repeats: int) -> float:
    """Return the median time of the work, once it has been warmed up."""
    work()
    secs = []
    for _ in range(repeats):
        finish(device)
        started = time.perf_counter()
        work()
        finish(device)
        secs.append(time.perf_counter() - started)
    return statistics.median(secs)


def attainable_flop_per_sec(device: torch.device, dtype: torch.dtype) -> float:
    """Return the rate of a large matrix product of unit-variance numbers."""
    size = MATMUL_SIZE[device.type]
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in 'ab')
    return 2 * size ** 3 / median_secs(lambda: a @ b, device, repeats=20)


def attainable_bytes_per_sec(device: torch.device) -> float:
    """Return the rate of a large copy, its reading and its writing counted."""
    numbers = torch.randn(BANDWIDTH_NUMBERS[device.type], device=device, dtype=torch.bfloat16)
    target = torch.empty_like(numbers)
    return 2 * numbers.nbytes / median_secs(lambda: target.copy_(numbers), device, repeats=20)


def reset_peak(device: torch.device) -> None:
    if device.type == 'cuda':
        torch.cuda.reset_peak_memory_stats(device)


def peak_bytes(device: torch.device) -> int | None:
    """Return the most memory in use since ``reset_peak``, weights included; None on a CPU."""
    return torch.cuda.max_memory_allocated(device) if device.type == 'cuda' else None


def describe_device(device: torch.device) -> dict[str, Any]:
    """Name, memory and driver of the device, and the libraries that matter."""
    about: dict[str, Any] = {'kind': device.type, 'torch': torch.__version__,
                             'cuda': torch.version.cuda}
    if device.type != 'cuda':
        return {**about, 'name': 'CPU', 'driver': None, 'memory_gb': None}
    properties = torch.cuda.get_device_properties(device)
    return {**about, 'name': properties.name, 'driver': _driver(),
            'memory_gb': properties.total_memory / 1e9}


def _driver() -> str | None:
    try:
        done = subprocess.run(
            ['nvidia-smi', '--query-gpu=driver_version', '--format=csv,noheader'],
            capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):       # as on a Jetson, which has none
        return None
    return done.stdout.strip().splitlines()[0]
