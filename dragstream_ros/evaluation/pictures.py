"""Writes the contact sheet and the film of a finished recording."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import numpy as np

from dragstream_ros.evaluation.contact_sheet import draw_contact_sheet
from dragstream_ros.evaluation.examples import OFFSETS_SECS, choose_examples
from dragstream_ros.evaluation.film import Film
from dragstream_ros.evaluation.picture_files import write_picture, write_video
from dragstream_ros.evaluation.progress import Progress, bar
from dragstream_ros.evaluation.recording import Recording

FILM_RATE_HZ = 15.0


def write_pictures(
    recording: Recording,
    folder: pathlib.Path,
    *,
    title: str,
    subtitle: str,
    footer: str,
    progress: Progress,
    run_rate: float = 1.0,
) -> list[str]:
    """Write contact_sheet.png and film.mp4; what there is too little for is left out.

    :param run_rate: how fast the run was; the film shows it at its natural speed
    :returns: one line for people per file
    :raises OSError: nothing can be written there
    """
    written = []
    examples = choose_examples(recording)
    if examples:
        path = folder / 'contact_sheet.png'
        write_picture(path, draw_contact_sheet(
            examples, offsets_secs=OFFSETS_SECS, title=title, subtitle=subtitle, footer=footer))
        written.append(f'{path}: a few predictions, and what happened')
    if recording.camera:
        path = folder / 'film.mp4'
        pictures = _counted(Film(recording), progress, rate_hz=FILM_RATE_HZ * run_rate)
        codec = write_video(path, pictures, rate_hz=FILM_RATE_HZ)
        progress.finish()
        written.append(f'{path}: the camera, what was predicted, and what came ({codec})')
    return written


def _counted(film: Film, progress: Progress, *, rate_hz: float) -> Iterator[np.ndarray]:
    """The film's pictures, with the progress shown."""
    n_pictures = film.n_pictures(rate_hz=rate_hz)
    for number, picture in enumerate(film.pictures(rate_hz=rate_hz)):
        share = number / n_pictures
        progress.show([f'{bar(share)} drawing the film'], plain=f'drawing the film, {share:.0%}')
        yield picture
