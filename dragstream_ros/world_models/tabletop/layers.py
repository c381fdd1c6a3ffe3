"""The frames of a picture whose things are known: its table, and on that each thing as a whole.

The flow of a chunk says how every thing moves; nothing of the frames before is carried along.  What
is hidden by now is remembered, and is there again where it comes to light.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from dragstream_ros.core.held import RIM_PX
from dragstream_ros.world_models.tabletop.backdrop import grown
from dragstream_ros.world_models.tabletop.hidden_parts import HiddenPart
from dragstream_ros.world_models.tabletop.rigid_pieces import (
    LEAST_SEEN_PX,
    Piece,
    ShownPieces,
    placed,
)
from dragstream_ros.world_models.tabletop.seen_picture import SeenPicture, grid, mostly

STILL = np.eye(2, 3)


@dataclass(frozen=True, eq=False)
class Layers:
    """By frame: standing: (F, H, W) bool, where the picture shows what it showed.

    shadows, pieces: of what has moved, the one most in front last, pieces with their numbers; a
    shadow covers as much of the light as it takes.  motions: of every piece in the last frame, see
    SeenPicture.
    """

    standing: np.ndarray
    shadows: Sequence[Sequence[Piece]]
    pieces: Sequence[Sequence[tuple[int, Piece]]]
    motions: np.ndarray

    @classmethod
    def of(cls, seen: SeenPicture, origins: np.ndarray, sure: np.ndarray, gone: np.ndarray,
           still: np.ndarray) -> Layers:
        """See RigidPieces.of; still: (H, W) bool, what of the newest frame stays."""
        assert seen.motions is not None and seen.backdrop is not None
        motions, frames = seen.motions, []
        labels = seen.pieces.labels
        stays = (mostly(seen.shows(labels * ~gone), still, len(motions))
                 | mostly(labels, seen.backdrop.bare, len(motions)))   # squares of the table, too
        taken = mostly(labels, gone, len(motions)) & ~stays
        for origin, certain in zip(origins, sure, strict=True):
            shown = ShownPieces.of(labels, origin, gone)
            motions = np.where(stays[:, None, None], motions, _moved(motions, shown, certain))
            has_moved = (motions != STILL).any((1, 2)) | taken
            frames.append((~has_moved[seen.owners] & ~gone,
                           *_put(seen, has_moved, motions, shown, gone)))
        standing, shadows, pieces = zip(*frames)
        return cls(np.stack(standing), shadows, pieces, motions)

    def drawn(self, seen: SeenPicture) -> tuple[torch.Tensor, torch.Tensor]:
        """Frames (F, 3, H, W) in 0..1, and where they are of the picture, (F, 1, H, W) in 0..1."""
        assert seen.backdrop is not None
        picture, table = (of.astype(np.float32) / 255
                          for of in (seen.picture, seen.backdrop.table))
        coloured = {number: part.picture.astype(np.float32) / 255
                    for number, part in seen.hidden.items()}
        shown = np.where(self.standing[..., None], picture, table)
        known = (self.standing | seen.backdrop.sure).astype(np.float32)
        for frame, whole, shadows, pieces in zip(
                shown, known, self.shadows, self.pieces, strict=True):
            for shadow in shadows:
                frame[shadow.window] *= 1 - shadow.cover[..., None]
            for number, piece in pieces:
                piece.put(frame, whole, coloured.get(number, picture))
        return torch.from_numpy(shown).permute(0, 3, 1, 2), torch.from_numpy(known)[:, None]

    def origin(self, hidden: Mapping[int, HiddenPart]) -> np.ndarray:
        """Where in the picture the last frame is from, (2, H, W).

        NaN: it is the table, or what was hidden in the picture.
        """
        standing = self.standing[-1]
        origin = np.where(standing, grid(standing.shape), np.float32(np.nan))
        for number, piece in self.pieces[-1]:
            piece.trace(origin)
            if number in hidden:
                unseen = piece.cut(hidden[number].mask.astype(np.float32))
                rows, columns = piece.window
                origin[:, rows, columns][:, piece.cover * unseen > 0.25] = np.nan
        return origin


def _with_hidden(has_moved: np.ndarray, hidden: Mapping[int, HiddenPart]) -> np.ndarray:
    """And what hides, or is hidden by, what has moved: of that, more or less comes to light."""
    drawn = has_moved.copy()
    for number, part in hidden.items():
        both = [number, *part.by]
        drawn[both] |= has_moved[both].any()
    return drawn


def _moved(motions: np.ndarray, shown: ShownPieces, sure: np.ndarray) -> np.ndarray:
    """The motions of what the flow shows; what it does not stays where it was."""
    found = np.where((shown.is_seen & ~shown.moves)[:, None, None], STILL, motions)
    numbers, found_motions, _ = shown.motions(sure)
    found[numbers] = found_motions
    return found


def _put(seen: SeenPicture, has_moved: np.ndarray, motions: np.ndarray, shown: ShownPieces,
         gone: np.ndarray) -> tuple[list[Piece], list[tuple[int, Piece]]]:
    """Shadows of what has moved (n,) bool, and what is to be drawn, the least seen first.

    But what others hid in the picture comes before those.
    """
    assert seen.backdrop is not None
    shadows, pieces, shares = [], {}, {}
    for number in np.flatnonzero(_with_hidden(has_moved, seen.hidden)).tolist():
        mask = seen.backdrop.covers == number
        left = mask & ~gone
        if number in seen.hidden and 2 * left.sum() > mask.sum():
            # And the rim beside it, which goes with what hid it.
            left |= seen.hidden[number].mask | mask & grown(seen.hidden[number].mask, RIM_PX)
        piece = placed(left.astype(np.float32), motions[number], seen.reaching.get(number))
        if piece is None or piece.cover.sum() <= LEAST_SEEN_PX / 2:
            continue
        pieces[number], shares[number] = piece, shown.share_of(number, piece)
        if has_moved[number] and (shadow := placed(
                seen.backdrop.shade * ((seen.owners == number) & ~gone), motions[number])):
            shadows.append(shadow)
    for number in pieces.keys() & seen.hidden.keys():
        hiders = pieces.keys() & seen.hidden[number].by
        shares[number] = min([shares[number], *(np.nextafter(shares[by], -1) for by in hiders)])
    return shadows, sorted(pieces.items(), key=lambda numbered: shares[numbered[0]])
