"""What UMT5 makes of a prompt, computed once where a model is converted; no robot runs it."""
from __future__ import annotations

from pathlib import Path

import torch

from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.world_models.wan.prompt import LENGTH


@torch.no_grad()
def encode_prompt(text: str, folder: Path) -> torch.Tensor:
    """Return (tokens, text_dim) float32 of a prompt, without padding.

    folder: local, with ``text_encoder`` and ``tokenizer`` in it, as diffusers lays them out.
    """
    try:
        from transformers import AutoTokenizer, UMT5EncoderModel
    except ImportError as error:
        raise DragStreamError(
            ErrorCode.WEIGHTS_UNREADABLE,
            "Encoding a prompt needs transformers: pip install 'dragstream_ros[prompt]'.",
        ) from error
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder / 'tokenizer', local_files_only=True)
        encoder = UMT5EncoderModel.from_pretrained(
            folder / 'text_encoder', local_files_only=True, use_safetensors=True).eval()
    except (OSError, ValueError) as error:
        raise DragStreamError(
            ErrorCode.WEIGHTS_MISSING,
            f'{folder} holds no text encoder ({str(error).splitlines()[0]}): name a folder with '
            'text_encoder and tokenizer in it, as diffusers lays them out.') from error
    words = tokenizer(' '.join(text.split()), max_length=LENGTH, truncation=True,
                      return_tensors='pt')
    encoded = encoder(words.input_ids, words.attention_mask).last_hidden_state[0]
    return encoded.float()
