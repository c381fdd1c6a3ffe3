"""Can a person tell a prediction from what came? Pairs of the two, without saying which is which.

``python -m dragstream_ros.evaluation.looker_pairs FOLDER`` writes pages of pairs, told the palms'
way, and the key. Who has not seen it notes for each pair which side came true, L or R;
``... FOLDER --answers LRRL...`` counts how often that was right.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys

import numpy as np

from dragstream_ros.evaluation.drawing import Box, blank, draw_text, paste
from dragstream_ros.evaluation.held_out_scenes import SceneConfig, frame_index, make_scenes
from dragstream_ros.evaluation.metrics import share_with_interval
from dragstream_ros.evaluation.picture_files import write_picture
from dragstream_ros.evaluation.predict import predict_frames
from dragstream_ros.world_models import load_world_model

PAIRS, PER_PAGE = 40, 10
AHEAD_SECS = 1.0
TILE_PX, MARGIN_PX, TITLE_PX = 256, 12, 28
KEY = 'key.json'


def main() -> int:
    """Write the pages, or count answers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', type=pathlib.Path)
    parser.add_argument('--answers', help='L or R for each pair')
    args = parser.parse_args()
    if args.answers is None:
        write_pairs(args.folder)
        return 0
    key = json.loads((args.folder / KEY).read_text())
    if len(args.answers) != len(key) or set(args.answers) - set('LR'):
        print(f'Give L or R for each of the {len(key)} pairs.', file=sys.stderr)
        return 1
    print(describe(args.answers, key))
    return 0


def write_pairs(folder: pathlib.Path) -> None:
    """Pages of PER_PAGE pairs, and on which side the truth is, a letter for each."""
    model, pairs = load_world_model(), []
    sides = np.random.default_rng(0).permutation(np.arange(PAIRS) % 2)      # as often as not
    for scene, side in zip(make_scenes(SceneConfig(scenes=PAIRS, future_secs=AHEAD_SECS)), sides):
        end = frame_index(AHEAD_SECS)
        predicted = predict_frames(
            model, scene.past, scene.stamps_ns(), end + 1, scene.command())[end]
        truth = scene.future[end]
        pairs.append((predicted, truth) if side else (truth, predicted))
    folder.mkdir(parents=True, exist_ok=True)
    for first in range(0, PAIRS, PER_PAGE):
        write_picture(folder / f'pairs_{first // PER_PAGE + 1}.png',
                      draw_page(pairs[first:first + PER_PAGE], first + 1))
    (folder / KEY).write_text(json.dumps(''.join('LR'[side] for side in sides)))


def draw_page(pairs: list[tuple[np.ndarray, np.ndarray]], first_number: int) -> np.ndarray:
    """Two pairs a row, numbered from there."""
    step_x, step_y = 2 * TILE_PX + 3 * MARGIN_PX, TILE_PX + TITLE_PX + MARGIN_PX
    page = blank(2 * step_x, -(-len(pairs) // 2) * step_y)
    for index, pair in enumerate(pairs):
        x, y = index % 2 * step_x + MARGIN_PX, index // 2 * step_y
        draw_text(page, str(first_number + index), x, y + TITLE_PX - 8)
        for side, picture in enumerate(pair):
            left = x + side * (TILE_PX + MARGIN_PX)
            paste(page, picture, Box(left, y + TITLE_PX, TILE_PX, TILE_PX))
    return page


def describe(answers: str, key: str) -> str:
    """How often the looker was right."""
    right = sum(answer == truth for answer, truth in zip(answers, key, strict=True))
    share = share_with_interval(right, len(key))
    return (f'right in {right} of {len(key)} pairs, {100 * share.value:.0f} % '
            f'[{100 * share.low:.0f}, {100 * share.high:.0f}]; 50 % is guessing')


if __name__ == '__main__':
    sys.exit(main())
