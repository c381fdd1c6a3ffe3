"""The words a prediction goes by, as the text encoder left them: computed once, stored as numbers.

The encoder (UMT5-XXL, 11 GB) never runs on a robot: ``prompt.safetensors`` holds what it made of
one prompt.  Without that file the prompt is null, all padding, which asks for nothing.
"""
from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch.nn import functional

from dragstream_ros.errors import DragStreamError, ErrorCode

FILE_NAME = 'prompt.safetensors'
LENGTH = 512        # tokens; Wan pads what the encoder made of fewer words with zeros
KEY = 'prompt'


def null_prompt(text_dim: int) -> torch.Tensor:
    """Return the prompt (512, text_dim) of no words."""
    return torch.zeros(LENGTH, text_dim)


def load_prompt(folder: Path, text_dim: int) -> torch.Tensor:
    """Read the stored prompt (512, text_dim) float32, or return the null prompt where none is.

    DragStreamError: it cannot be read, or is of another text encoder.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        return null_prompt(text_dim)
    try:
        prompt = load_file(path)[KEY].float()
    except (SafetensorError, KeyError, OSError) as error:
        raise DragStreamError(
            ErrorCode.WEIGHTS_UNREADABLE,
            f'The prompt in {path} cannot be read ({error}): store it again, or delete the file to '
            'go without words.') from error
    if prompt.ndim != 2 or len(prompt) > LENGTH or prompt.shape[1] != text_dim:
        raise DragStreamError(
            ErrorCode.WEIGHTS_MISMATCH,
            f'The prompt in {path} is {tuple(prompt.shape)} where at most {LENGTH} tokens of '
            f'{text_dim} numbers are needed: it is of another text encoder.')
    return functional.pad(prompt, (0, 0, 0, LENGTH - len(prompt)))


def save_prompt(folder: Path, prompt: torch.Tensor) -> Path:
    """Store what the text encoder made of a prompt, (tokens, text_dim), without its padding."""
    path = folder / FILE_NAME
    save_file({KEY: prompt.contiguous()}, path)
    return path
