"""What a measurement was made on and with: machine, code, weights, configuration."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dragstream_ros.lanes import inference_lanes

MATMUL_SIZE = 768


def describe_machine() -> dict[str, Any]:
    """The processor, how fast and how busy it is right now, and the libraries that matter."""
    load = os.getloadavg()
    return {
        'cpu': _cpu_model(),
        'cores': len(os.sched_getaffinity(0)),
        'load_average': [round(value, 2) for value in load],
        'inference_threads': inference_lanes().count,
        'matmul_fp32_gflops_one_thread': round(matmul_gflops(), 1),
        'platform': platform.platform(),
        'python': platform.python_version(),
        'torch': torch.__version__,
        'numpy': np.__version__,
    }


def describe_run(weights: Path, config: dict[str, Any]) -> dict[str, Any]:
    """When, which code, which weights, which configuration.

    config: plain data; its hash tells runs with the same configuration.
    """
    return {
        **describe_code(),
        'weights': {'file': weights.name, 'sha256': _sha256(weights.read_bytes())},
        'config': config,
        'config_sha256': _sha256(json.dumps(config, sort_keys=True).encode()),
    }


def describe_code() -> dict[str, Any]:
    """When, and which code."""
    return {
        'date': datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='seconds'),
        'code': _git_state(Path(__file__).parent)}


def matmul_gflops(*, secs: float = 0.3) -> float:
    """Attained rate of fp32 matrix products on one thread, in 1e9 operations a second."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        a = torch.rand(MATMUL_SIZE, MATMUL_SIZE)
        a @ a
        best = float('inf')
        deadline = time.perf_counter() + secs
        while time.perf_counter() < deadline:
            started = time.perf_counter()
            a @ a
            best = min(best, time.perf_counter() - started)
    finally:
        torch.set_num_threads(threads)
    return 2 * MATMUL_SIZE ** 3 / best / 1e9


def resident_bytes() -> int:
    """Memory of this process that is in RAM."""
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE')


def peak_resident_bytes() -> int:
    """The most memory of this process that was in RAM at any time."""
    status = Path('/proc/self/status').read_text()
    line = next(line for line in status.splitlines() if line.startswith('VmHWM:'))
    return int(line.split()[1]) * 1024


def cpu_secs_of(pid: int) -> float:
    """CPU time that all threads of a process have taken so far."""
    fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')   # user and system


def _cpu_model() -> str:
    for line in Path('/proc/cpuinfo').read_text().splitlines():
        if line.lower().startswith('model name'):
            return line.partition(':')[2].strip()
    return platform.processor() or platform.machine()


def _git_state(folder: Path) -> dict[str, Any]:
    """Commit, and whether tracked files differ from it; both None outside a checkout."""
    try:
        commit = _git(folder, 'rev-parse', 'HEAD')
        return {'commit': commit,
                'dirty': bool(_git(folder, 'status', '--porcelain', '--untracked-files=no'))}
    except (OSError, subprocess.CalledProcessError):
        return {'commit': None, 'dirty': None}


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ['git', '-C', str(folder), *arguments], check=True, capture_output=True, text=True,
    ).stdout.strip()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
