"""Makes the README's pictures from what a demo has left behind.

``python -m dragstream_ros.evaluation.readme_pictures demo_output docs/images`` writes demo.jpg, the
contact sheet, and demo.webp, a moving piece of the film.
"""

from __future__ import annotations

import argparse
import pathlib

import cv2
import numpy as np

from dragstream_ros.evaluation.drawing import resize
from dragstream_ros.evaluation.picture_files import read_picture, write_picture

SHEET_WIDTH = 1400
PIECE_RATE_HZ = 7.5  # every second picture of the film
QUALITY = 60


def main() -> None:
    """Write the pictures; the film's piece is chosen by hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('demo', type=pathlib.Path, help='output folder of dragstream demo')
    parser.add_argument('images', type=pathlib.Path, help='where the pictures go')
    parser.add_argument('--from-secs', type=float, default=0.0, help='where the piece begins')
    parser.add_argument('--secs', type=float, default=12.0, help='how long it is')
    args = parser.parse_args()
    sheet = read_picture(args.demo / 'contact_sheet.png')
    height = round(sheet.shape[0] * SHEET_WIDTH / sheet.shape[1])
    write_picture(args.images / 'demo.jpg', resize(sheet, (SHEET_WIDTH, height)))
    write_moving_picture(
        args.images / 'demo.webp',
        film_piece(args.demo / 'film.mp4', from_secs=args.from_secs, secs=args.secs))


def film_piece(path: pathlib.Path, *, from_secs: float, secs: float) -> list[np.ndarray]:
    """Every so many pictures of a film, (H, W, 3) uint8 RGB, PIECE_RATE_HZ of them per second."""
    film = cv2.VideoCapture(str(path))
    every = round(film.get(cv2.CAP_PROP_FPS) / PIECE_RATE_HZ)
    film.set(cv2.CAP_PROP_POS_MSEC, from_secs * 1000)
    pictures = []
    for number in range(round(secs * PIECE_RATE_HZ * every)):
        is_there, picture = film.read()
        if not is_there:
            break
        if number % every == 0:
            pictures.append(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
    return pictures


def write_moving_picture(path: pathlib.Path, pictures: list[np.ndarray]) -> None:
    """Write an animated WebP that repeats; needs OpenCV 4.11 or newer.

    :raises OSError: nothing can be written there
    """
    animation = cv2.Animation()
    animation.frames = [cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) for picture in pictures]
    animation.durations = [round(1000 / PIECE_RATE_HZ)] * len(pictures)
    animation.loop_count = 0
    if not cv2.imwriteanimation(str(path), animation, [cv2.IMWRITE_WEBP_QUALITY, QUALITY]):
        raise OSError(f'OpenCV could not write {path}.')


if __name__ == '__main__':
    main()
