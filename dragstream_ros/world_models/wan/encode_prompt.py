"""What UMT5 makes of a prompt, computed once where a model is converted; no robot runs it."""
from __future__ import annotations

from pathlib import Path

import torch

from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.world_models.wan.model_folder import Say, silent
from dragstream_ros.world_models.wan.needs_diffusers import first_line
from dragstream_ros.world_models.wan.prompt import LENGTH


@torch.no_grad()
def encode_prompt(text: str, folder: Path, say: Say = silent) -> torch.Tensor:
    """Return (tokens, text_dim) float32 of a prompt, without padding.

    The encoder runs in bfloat16, as it is published.
    folder: local, with ``text_encoder`` and ``tokenizer`` in it, as diffusers lays them out.
    """
    try:
        from transformers import AutoTokenizer, UMT5EncoderModel
    except (ImportError, RuntimeError) as error:
        raise DragStreamError(
            ErrorCode.WEIGHTS_MISSING,
            f"Encoding a prompt needs transformers ({first_line(error)}): install it with "
            "`pip install 'transformers>=4.56,<6'`.") from error
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder / 'tokenizer', local_files_only=True)
        encoder = UMT5EncoderModel.from_pretrained(
            folder / 'text_encoder', local_files_only=True, use_safetensors=True,
            dtype=torch.bfloat16).eval()
    except MemoryError as error:
        raise DragStreamError(
            ErrorCode.OUT_OF_MEMORY,
            'The text encoder does not fit into the memory: encode the prompt on a computer with '
            'more, once, and copy prompt.safetensors.') from error
    except (OSError, ValueError, ImportError) as error:
        raise DragStreamError(
            ErrorCode.WEIGHTS_MISSING,
            f'{folder} holds no text encoder ({first_line(error)}): name a folder with '
            'text_encoder and tokenizer in it, as diffusers lays them out.') from error
    text = ' '.join(text.split())
    n_tokens = len(tokenizer(text).input_ids)
    if n_tokens > LENGTH:
        say(f'the prompt has {n_tokens} tokens, and only {LENGTH} are used: its end is cut off')
    words = tokenizer(text, max_length=LENGTH, truncation=True, return_tensors='pt')
    encoded = encoder(words.input_ids, words.attention_mask).last_hidden_state[0]
    return encoded.float()
