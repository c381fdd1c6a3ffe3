"""The bundled world model's streaming: its cache, its positions, its limits, its files."""
from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from dragstream_ros.core.drag import DragCommand, DragHandle, DragMode
from dragstream_ros.core.held import Held
from dragstream_ros.core.table_view import TableView
from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.world_models.tabletop.backdrop import Backdrop
from dragstream_ros.world_models.tabletop.dynamics import attend, flat
from dragstream_ros.world_models.tabletop.model import FAINT, TabletopWorldModel

CHUNK = 5
PICTURE = np.random.default_rng(0).integers(0, 255, (128, 128, 3), np.uint8)


@pytest.fixture(scope='module')
def model() -> TabletopWorldModel:
    """An untrained model whose every weight counts, also those that training starts at zero."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = TabletopWorldModel().eval().requires_grad_(False)
    for parameter in model.parameters():
        if parameter.abs().max() == 0:
            torch.nn.init.normal_(parameter, std=0.05)
    return model


def latents(model: TabletopWorldModel, frames: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(frames, *model.latent_shape,
                       generator=torch.Generator().manual_seed(seed))


def keys_of_one_forward(model: TabletopWorldModel, x: torch.Tensor,
                        groups: list[int]) -> torch.Tensor:
    """The last block's keys (F, heads, tokens, head_dim) of all frames at once, without a cache.

    groups: sizes of the commits.  A frame sees the sink, the window before it and itself, in the
    positions of its commit: the sink first, then the window, then the commit's own frames.
    """
    net, config = model.dynamics, model.dynamics.config
    history = torch.cat([x[:1], x[:1], x])
    known = torch.cat([history[1:-1], history[:-2]], 1)
    embedding = net.embed(torch.zeros(1, len(x)), torch.full((len(x),), config.frames_per_chunk))
    tokens, _ = net.encode_frames(x[None], known[None], embedding)
    frame = torch.arange(len(x))
    starts = torch.tensor([sum(groups[:i]) for i, size in enumerate(groups) for _ in range(size)])
    for block in net.attention_blocks[:-1]:
        q, k, v = block.project(tokens, embedding)
        rows = []
        for i, start in enumerate(starts.tolist()):
            kept = (start - frame <= config.window) | (frame < config.sink)
            seen = kept & (frame <= i) & ((i - frame <= config.window) | (frame < config.sink))
            slots = frame - start + min(start, config.context_frames)
            slots = torch.where(frame < config.sink, frame, slots)
            rotate = net.rotary.rotate
            rows.append(attend(flat(rotate(q[:, i:i + 1], slots[i:i + 1])),
                               flat(rotate(k[:, seen], slots[seen])), flat(v[:, seen])))
        out = torch.cat(rows, 1).unflatten(1, (len(x), -1))
        tokens = block.finish(tokens, out, embedding)
    return net.attention_blocks[-1].project(tokens, embedding)[1][0]


def test_a_cached_rollout_equals_one_forward_with_the_same_mask_and_positions(model) -> None:
    groups = [1, 1, 1] + [CHUNK] * 5 + [1]          # three windows' length
    x = latents(model, sum(groups))
    context, cached = model.empty_context(), []
    for part in x.split(groups):
        context = model.commit(part, context)
        cached += [keys[-1] for keys in context.keys[-len(part):]]
    difference = (torch.stack(cached) - keys_of_one_forward(model, x, groups)).abs().max()
    assert difference < 2e-5


def test_the_context_is_as_large_after_a_thousand_frames_as_after_ten(model) -> None:
    context = model.empty_context()
    sizes = []
    for i in range(40):
        context = model.commit(latents(model, 1, seed=i), context)
        sizes.append(context.nbytes)
    assert context.frames == model.dynamics.config.context_frames
    assert len(set(sizes[10:])) == 1


def test_a_commit_leaves_the_context_it_was_given_as_it_was(model) -> None:
    before = model.commit(latents(model, 3), model.empty_context())
    keys, values = torch.stack(before.keys), torch.stack(before.values)
    model.commit(latents(model, CHUNK, seed=5), before)
    assert torch.equal(torch.stack(before.keys), keys)
    assert torch.equal(torch.stack(before.values), values)


def test_a_context_knows_for_how_long_every_cell_is_as_it_was(model) -> None:
    latents = torch.zeros(6, *model.latent_shape)
    latents[3:, :, 2, 5] = 1.0
    context = model.commit(latents[:2], model.empty_context())
    before = int(context.rested.min())
    for part in (latents[2:3], latents[3:]):
        context = model.commit(part, context)
    assert context.rested[0, 0, 2, 5] == 2
    assert context.rested[0, 0, 0, 0] == before + 4


def test_stopping_after_the_taps_gives_the_same_features_as_going_on(model) -> None:
    context = model.commit(latents(model, 5), model.empty_context())
    x, conditions = latents(model, CHUNK, seed=2), model.condition(context, PICTURE)
    whole = model.denoise(x, 0, conditions, taps=(1, 2))
    stopped = model.denoise(x, 0, conditions, taps=(1, 2), stop_after_taps=True)
    assert whole.x0 is not None and stopped.x0 is None
    for block in (1, 2):
        assert torch.equal(whole.taps[block].queries, stopped.taps[block].queries)
        assert torch.equal(whole.taps[block].values, stopped.taps[block].values)


def test_the_gradient_to_the_latent_agrees_with_finite_differences(model) -> None:
    context = model.commit(latents(model, 3), model.empty_context())
    conditions = model.condition(context, PICTURE)
    x = latents(model, CHUNK, seed=3).requires_grad_()
    direction = latents(model, CHUNK, seed=4)

    def value(z: torch.Tensor) -> torch.Tensor:
        x0 = model.denoise(z, 0, conditions).x0
        assert x0 is not None
        return (x0 ** 2).mean()

    slope = (torch.autograd.grad(value(x), x)[0] * direction).sum()
    with torch.no_grad():
        measured = (value(x + 1e-2 * direction) - value(x - 1e-2 * direction)) / 2e-2
    assert slope == pytest.approx(float(measured), rel=0.02)


def test_what_denoising_leaves_alone_is_shown_exactly_as_it_was_carried_there(model) -> None:
    conditions = model.condition(model.commit(latents(model, 6), model.empty_context()), PICTURE,
                                 settle=False)
    x0 = conditions.guess.clone()
    x0[:, :, :8] += 1.0                                 # the upper half is made anew
    x0[:, :, 8:] += 0.05                                # the lower half is all but the same
    kept, frames, _ = model.finish(x0, conditions)
    carried = (255 * conditions.first.frames).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    assert np.array_equal(frames[:, 68:], carried[:, 68:])
    assert torch.equal(kept[:, :, 8:], conditions.guess[:, :, 8:])
    assert np.array_equal(frames[:, :60], model.decode(kept)[:, :60])
    assert torch.allclose(kept[:, :, :8], x0[:, :, :8])


def test_what_is_settled_is_shown_as_it_was_put_and_the_rest_as_it_was_made_anew(model) -> None:
    conditions = model.condition(model.commit(latents(model, 6), model.empty_context()), PICTURE)
    settled = torch.zeros_like(conditions.first.settled)
    settled[..., 64:] = 1.0
    conditions = replace(conditions, first=replace(conditions.first, settled=settled))
    kept, frames, context = model.finish(conditions.guess + 1.0, conditions)
    carried = (255 * conditions.first.frames).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    assert np.array_equal(frames[..., 64:, :], carried[..., 64:, :])
    assert torch.equal(kept[..., 8:], conditions.guess[..., 8:])
    assert np.array_equal(frames[:, :, :60], model.decode(kept)[:, :, :60])
    # What was made anew is no longer of the picture that was seen.
    known = ~np.isnan(context.seen.origin[0])
    assert not known[:, :60].any()
    assert np.array_equal(known[:, 68:], ~np.isnan(conditions.first.seen.origin[0])[:, 68:])


def test_where_the_table_is_known_a_faint_change_is_not_shown(model) -> None:
    """The autoencoder's blur beside a thing would be a halo on the table."""
    conditions = model.condition(model.commit(latents(model, 6), model.empty_context()), PICTURE)
    known = Backdrop(PICTURE, *(np.zeros(PICTURE.shape[:2]) for _ in range(5)))
    first = replace(conditions.first, settled=torch.zeros_like(conditions.first.settled),
                    seen=replace(conditions.first.seen, backdrop=known))
    kept, frames, _ = model.finish(conditions.guess + 1.0, replace(conditions, first=first))
    guessed = (255 * first.frames).round().permute(0, 2, 3, 1).numpy().astype(int)
    made = model.decode(kept).astype(int)
    faint = np.abs(made - guessed).max(-1) < 255 * FAINT[0] - 1
    far = np.abs(made - guessed).max(-1) > 255 * FAINT[1] + 1
    assert faint.any() and (frames[faint] == guessed[faint]).all()
    assert far.any() and (frames[far] == made[far]).all()


def test_real_frames_are_cut_anew(model) -> None:
    conditions = model.condition(model.commit(latents(model, 6), model.empty_context()), PICTURE)
    x0, frames, context = model.finish(conditions.guess, conditions)
    context = model.commit(x0, context)
    assert context.seen is not None
    assert model.condition(context, frames[-1]).first.seen.picture is PICTURE
    _, context = model.take(PICTURE[None], context)
    assert context.seen is None


def held_disc() -> Held:
    command = DragCommand(
        drag_id='d', operator_id='o', mode=DragMode.ANIMATE, image_size=(128, 128), stamp_ns=0,
        handles=(DragHandle(path_px=np.array([(40.0, 40.0), (72.0, 40.0)]), radius_px=16.0),))
    return Held.of(command, PICTURE, np.linspace(0, 1, CHUNK + 1))


def test_what_is_held_is_shown_as_it_was_put_there_whatever_denoising_says() -> None:
    model = TabletopWorldModel(bare_table=None, whole_thing=None).eval().requires_grad_(False)
    held = held_disc()
    context = model.commit(latents(model, 6), model.empty_context())
    conditions = model.condition(context, PICTURE, held=held)
    _, frames, _ = model.finish(conditions.guess + 1.0, conditions)
    assert np.abs(frames[-1, 36:45, 68:77].astype(int) - PICTURE[36:45, 36:45]).max() <= 1
    assert np.abs(frames[-1, 100:].astype(int) - PICTURE[100:]).max() > 20


def test_in_a_strange_scene_all_stands_but_what_is_dragged(model) -> None:
    context = model.commit(latents(model, 6), model.empty_context())
    conditions = model.condition(context, PICTURE)          # no table that this model knows
    _, frames, after = model.finish(conditions.guess + 1.0, conditions)
    assert (frames == PICTURE).all() and model.is_strange(after)
    conditions = model.condition(context, PICTURE, held=held_disc())
    x0, frames, context = model.finish(conditions.guess + 1.0, conditions)
    assert np.abs(frames[-1, 36:45, 68:77].astype(int) - PICTURE[36:45, 36:45]).max() <= 1
    beside = np.ones((128, 128), bool)
    beside[20:62, 20:92] = False
    assert (frames[:, beside] == PICTURE[beside]).all()
    # Where it was is what is around, and it stays where it was let go of.
    left = frames[-1, 30:50, 26:50].astype(float)
    assert left.std(axis=(0, 1)).max() < 0.7 * PICTURE[30:50, 26:50].std(axis=(0, 1)).min()
    conditions = model.condition(model.commit(x0, context), frames[-1])
    assert (model.finish(conditions.guess + 1.0, conditions)[1] == frames[-1]).all()


def test_saved_weights_load_again_and_predict_alike(model, tmp_path) -> None:
    model.save(tmp_path, card={})
    loaded = TabletopWorldModel.load(tmp_path)
    frames = np.random.default_rng(0).integers(0, 255, (2, 128, 128, 3)).astype(np.uint8)
    assert torch.allclose(loaded.encode(frames), model.encode(frames), atol=0.05)
    assert loaded.table_view == model.table_view


def write_view(model, folder, **says) -> None:
    path = model.save(folder, card={}).with_suffix('.json')
    path.write_text(json.dumps(json.loads(path.read_text()) | says))


@pytest.mark.parametrize(('says', 'found'), [
    ({'horizon': -0.5, 'tilt_deg': 40}, TableView(horizon=-0.5, tilt_deg=40)),
    ({'horizon': 2, 'tilt_deg': None}, TableView(horizon=2)),
    ({'horizon': None, 'tilt_deg': None}, None)])
def test_how_the_table_is_seen_stands_in_the_configuration(model, tmp_path, says, found) -> None:
    write_view(model, tmp_path, **says)
    loaded = TabletopWorldModel.load(tmp_path)
    assert loaded.table_view == found
    loaded.save(tmp_path, card={})
    assert TabletopWorldModel.load(tmp_path).table_view == found


def test_a_view_that_cannot_be_is_said(model, tmp_path) -> None:
    for horizon in ('far', float('nan'), True):
        write_view(model, tmp_path, horizon=horizon)
        with pytest.raises(DragStreamError, match='must be a number or null'):
            TabletopWorldModel.load(tmp_path)


def test_missing_weights_are_named(tmp_path) -> None:
    with pytest.raises(DragStreamError, match='does not exist') as error:
        TabletopWorldModel.load(tmp_path)
    assert error.value.code == ErrorCode.WEIGHTS_MISSING


def test_truncated_weights_are_unreadable(model, tmp_path) -> None:
    path = model.save(tmp_path, card={})
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DragStreamError, match='cannot be read') as error:
        TabletopWorldModel.load(tmp_path)
    assert error.value.code == ErrorCode.WEIGHTS_UNREADABLE


def test_weights_of_another_shape_are_refused(model, tmp_path) -> None:
    path = model.save(tmp_path, card={})
    text = path.with_suffix('.json').read_text()
    path.with_suffix('.json').write_text(text.replace('"blocks": 4', '"blocks": 3'))
    with pytest.raises(DragStreamError, match='do not fit') as error:
        TabletopWorldModel.load(tmp_path)
    assert error.value.code == ErrorCode.WEIGHTS_MISMATCH
