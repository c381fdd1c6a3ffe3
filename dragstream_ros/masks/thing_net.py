"""Features by which pixels of one thing are known, learnt in the simulation: NumPy, no torch.

A small U-Net over 128x128 pixels.  It runs where a touch is answered at once, in the console too,
which should not have to load a deep learning framework for it.  training/thing_module.py is the
same network for torch, and a test holds the two together.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

WEIGHTS = Path(__file__).with_name('things.safetensors')
SIDE_PX = 128
LEVELS = 4              # of the U-Net below the picture itself, each half as large

Weights = Mapping[str, np.ndarray]


@functools.cache
def weights() -> Weights:
    """The bundled weights, float32 by name."""
    return {name: value.astype(np.float32) for name, value in load_file(WEIGHTS).items()}


def features(picture: np.ndarray, w: Weights) -> np.ndarray:
    """Describe every pixel of (128, 128, 3) uint8 RGB: (E, 128, 128) float32."""
    fine = conv(_planes(picture), w, 'stem')
    x, skips = fine, []
    for level in range(LEVELS):
        x = _block(conv(x, w, f'down.{level}', stride=2), w, f'before.{level}')
        skips.append(x)
    x = _block(skips.pop(), w, 'middle')
    for level in reversed(range(LEVELS - 1)):
        x = _block(_twice(conv(x, w, f'up.{level + 1}')) + skips.pop(), w, f'after.{level}')
    x = _twice(conv(x, w, 'up.0')) + fine
    return conv(_relu(conv(_relu(x), w, 'head.0')), w, 'head.1')


def queries(described: np.ndarray, w: Weights) -> np.ndarray:
    """Of every pixel, what to look for to find the thing that it is of: (E + 1, H, W) float32."""
    flat = described.reshape(len(described), -1)
    query = _relu(w['query.0.weight'] @ flat + w['query.0.bias'][:, None])
    query = w['query.1.weight'] @ query + w['query.1.bias'][:, None]
    return np.asarray(query.reshape(-1, *described.shape[1:]))


def likelihood(described: np.ndarray, query: np.ndarray) -> np.ndarray:
    """How likely each pixel is of what is looked for with (E + 1,): (H, W) float32 logits."""
    found = query[:-1] @ described.reshape(len(described), -1) + query[-1]
    return np.asarray(found.reshape(described.shape[1:]))


def conv(x: np.ndarray, w: Weights, name: str, *, stride: int = 1) -> np.ndarray:
    """Convolve (C, H, W) with the kernel of that name, (C', C, k, k): (C', H', W')."""
    kernel, bias = w[f'{name}.weight'], w[f'{name}.bias']
    size = kernel.shape[-1]
    rim = (size - 1) // 2
    padded = np.pad(x, ((0, 0), (rim, rim), (rim, rim)))
    height, width = ((side - size) // stride + 1 for side in padded.shape[1:])
    columns = np.empty((len(x), size, size, height, width), np.float32)
    for row in range(size):
        for column in range(size):
            columns[:, row, column] = padded[
                :, row:row + stride * height:stride, column:column + stride * width:stride]
    found = kernel.reshape(len(kernel), -1) @ columns.reshape(-1, height * width)
    return np.asarray((found + bias[:, None]).reshape(-1, height, width))


def _planes(picture: np.ndarray) -> np.ndarray:
    """Colours, and where in the picture: (6, H, W) float32, all within -1 and 1."""
    height, width = picture.shape[:2]
    y, x = np.meshgrid(*(np.linspace(-1, 1, size, dtype=np.float32) for size in (height, width)),
                       indexing='ij')
    rim = np.maximum(abs(x), abs(y)) ** 8
    colours = picture.transpose(2, 0, 1).astype(np.float32) / 127.5 - 1
    return np.concatenate([colours, np.stack([x, y, rim])])


def _block(x: np.ndarray, w: Weights, name: str) -> np.ndarray:
    size = np.sqrt(np.mean(x * x, axis=0) + 1e-5)
    normal = x / size * w[f'{name}.gain'][:, None, None]
    return x + conv(_relu(conv(_relu(normal), w, f'{name}.first')), w, f'{name}.last')


def _relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def _twice(x: np.ndarray) -> np.ndarray:
    return x.repeat(2, 1).repeat(2, 2)
