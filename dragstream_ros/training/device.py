"""Where training computes: a CPU, in float32; or a CUDA device, in bfloat16 where that is safe."""
from __future__ import annotations

import torch

DEVICE = torch.device('cuda' if torch.cuda.is_available() else 'cpu')


def autocast() -> torch.autocast:
    """Forward passes belong into this context; it does nothing on a CPU."""
    return torch.autocast(DEVICE.type, torch.bfloat16, enabled=DEVICE.type == 'cuda')
