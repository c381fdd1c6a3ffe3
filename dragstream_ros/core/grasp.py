"""What is known of a handle's hold beyond what the operator said: how it stands, hangs and moves.

The model finds it in the picture when the drag begins; nobody sends it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dragstream_ros.core.grip import Grip
from dragstream_ros.core.hinge import Hinge
from dragstream_ros.core.sides import Sides
from dragstream_ros.core.wrist import Wrist


@dataclass(frozen=True, kw_only=True, eq=False)
class Grasp:
    """horizon_px: the row where the plane ends that things lie on: what is shifted grows as it
    comes nearer, what is turned stands there. None: not known; it is a flat cut-out.

    flatness: height over width of a circle of that plane around what it is turned about, in (0, 1].
    hidden: (H, W) bool, what else there is of it in the picture, behind what stays; or None.
    sides: of what stands; None: as it looks.
    hinge: about which a shift swings it, as a lid; None: all of it goes the same way.
    wrist: of an arm, below which its hand turns; None: all of it does.
    grip: of all the handles that are on this one thing; None: it is the only one.
    """

    horizon_px: float | None = None
    flatness: float = 1.0
    hidden: np.ndarray | None = None
    sides: Sides | None = None
    hinge: Hinge | None = None
    wrist: Wrist | None = None
    grip: Grip | None = None
