"""``dragstream convert --prompt``: the text encoder's numbers are stored once."""

from __future__ import annotations

import json
import pathlib

import pytest
import torch

from dragstream_ros.errors import DragStreamError

transformers = pytest.importorskip('transformers')
tokenizers = pytest.importorskip('tokenizers')
pytest.importorskip('diffusers')
from dragstream_ros.world_models.wan.convert import convert  # noqa: E402
from dragstream_ros.world_models.wan.prompt import load_prompt  # noqa: E402


@pytest.fixture
def encoder(tmp_path: pathlib.Path) -> transformers.UMT5EncoderModel:
    """A small one, in the folders of a diffusers repository."""
    torch.manual_seed(0)
    words = {'<pad>': 0, '</s>': 1, 'a': 2, 'robot': 3, 'arm': 4}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token='a'))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single='$A </s>', special_tokens=[('</s>', 1)])
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token='<pad>', eos_token='</s>',
    ).save_pretrained(tmp_path / 'source' / 'tokenizer')
    model = transformers.UMT5EncoderModel(transformers.UMT5Config(
        vocab_size=5, d_model=24, d_kv=8, d_ff=32, num_layers=1, num_heads=2)).eval()
    model.save_pretrained(tmp_path / 'source' / 'text_encoder')
    return model


def test_a_prompt_is_stored_without_padding_and_loads_padded_with_zeros(
        tmp_path: pathlib.Path, encoder: transformers.UMT5EncoderModel) -> None:
    convert(tmp_path / 'model', text_encoder=tmp_path / 'source', prompt='  a robot\narm ')
    with torch.no_grad():
        wanted = encoder.bfloat16()(torch.tensor([[2, 3, 4, 1]])).last_hidden_state[0].float()
    loaded = load_prompt(tmp_path / 'model', 24)
    assert loaded.shape == (512, 24)
    assert torch.allclose(loaded[:4], wanted, atol=1e-6)
    assert not loaded[4:].any()
    assert json.loads((tmp_path / 'model' / 'card.json').read_text())['prompt'] == (
        '  a robot\narm ')


def test_a_prompt_that_is_too_long_is_cut_and_that_is_said(
        tmp_path: pathlib.Path, encoder: transformers.UMT5EncoderModel) -> None:
    told: list[str] = []
    convert(tmp_path / 'model', text_encoder=tmp_path / 'source', prompt='robot ' * 600,
            say=told.append)
    assert any('601 tokens, and only 512 are used' in text for text in told)
    assert load_prompt(tmp_path / 'model', 24).all(dim=1).all()


def test_a_folder_without_a_text_encoder_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DragStreamError, match='holds no text encoder'):
        convert(tmp_path / 'model', text_encoder=tmp_path, prompt='a robot arm')
