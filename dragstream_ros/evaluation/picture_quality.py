"""How like the truth is a predicted picture, and how sharp?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dragstream_ros.evaluation.metrics import gradient_energy, moving_pixels, psnr_db, ssim_map


@dataclass(frozen=True, kw_only=True)
class PictureQuality:
    """sharpness: gradient energy over that of the truth; 1 is as sharp, a blurred one has less."""

    psnr_db: float
    ssim: float
    sharpness: float


def judge_picture(
        picture: np.ndarray, truth: np.ndarray, start: np.ndarray) -> dict[str, PictureQuality]:
    """Judge (H, W, 3) uint8 RGB against the truth: 'all' pixels, and the 'moving' ones.

    Those truly differ from the start, the last frame that the predictor saw; there is no 'moving'
    where none do. Sharpness asks for no agreement on where things go, so it also counts the pixels
    that move in the prediction only.
    """
    moving, moved = moving_pixels(np.stack([truth, picture]), start)
    wheres = {'all': (np.ones_like(moving),) * 2}
    if moving.any():
        wheres['moving'] = (moving, moving | moved)
    ssim = ssim_map(picture, truth)
    steep, truly_steep = gradient_energy(picture), gradient_energy(truth)
    return {
        name: PictureQuality(
            psnr_db=psnr_db(picture, truth, where), ssim=float(ssim[where].mean()),
            sharpness=float(steep[counted].sum() / max(truly_steep[counted].sum(), 1.0)))
        for name, (where, counted) in wheres.items()}
