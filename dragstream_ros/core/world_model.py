"""What the core asks of a causal video model: anything with these members can be dragged.

Latents are ``(F, C, h, w)`` float32 tensors, F frames of C channels on an h x w grid.  A context is
an opaque value that holds what the model remembers of the past: its key/value cache, and where its
streaming encoder and decoder stand.  Contexts are immutable: what changes one returns a new one and
leaves the old one valid, so branching a stream or redoing a chunk is keeping a reference, and an
optimisation cannot disturb the live stream.

A latent frame stands for one video frame or for several.  Where it is several, a stream's first
frame is a latent by itself, so that a prediction can start from a single picture.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:       # a model of another framework should not have to load this one
    import numpy as np
    import torch
    from numpy.typing import ArrayLike

    from dragstream_ros.core.drag_guidance import DragGuidanceConfig
    from dragstream_ros.core.held import Held


@dataclass(frozen=True)
class Tap:
    """Queries, keys and values of one self-attention block, ready for the dot product.

    queries: (heads, F * h' * w', head_dim), the chunk that is being denoised.
    keys, values: (heads, K * h' * w', head_dim), the context's frames and then the chunk's own.
    """

    queries: torch.Tensor
    keys: torch.Tensor
    values: torch.Tensor


@dataclass(frozen=True, eq=False)
class Conditions:
    """All that one chunk is predicted from; stays the same through its denoise steps.

    context: of all frames before the chunk.  newest: (H, W, 3) uint8 RGB, the last of them.
    guess: (F, C, h, w), the chunk as far as can be told before denoising, zeros where the model
        does not guess.  Models add what they prepare once for all steps.
    """

    context: Any
    newest: np.ndarray
    guess: torch.Tensor


@dataclass(frozen=True)
class Denoised:
    """x0: (F, C, h, w) estimate of the clean chunk, None when stopped after the taps."""

    x0: torch.Tensor | None
    taps: dict[int, Tap] = field(default_factory=dict)


class WorldModel(Protocol):
    """A causal, chunk-wise, few-step latent video model.

    image_size: (width, height) in px of the frames it sees.
    frame_period_secs: time between two of its frames.
    frames_per_chunk: video frames that are predicted together.
    frames_per_latent: how many of them are one latent frame.
    latent_shape: (C, h, w) of one latent frame.
    token_grid: (h', w') of the attention tokens of one latent frame.
    sigmas: noise level of each denoise step, falling; x = (1 - sigma) x0 + sigma noise, where the
        first x0 is the guess.
    follows_maps: it was trained with drag maps; one that was not is always guided.
    profiles: settings of guidance for this model, by name; 'fast' is the default.

    A model may have more, which is asked for only where it is:
    table_view: how its camera sees the plane that things lie on: what is dragged nearer grows, and
        what is turned stands on it. Without it things are flat: they keep their size, and turn as
        they were cut out.
    grasp(context, frame, command, grow): the first three of them for a drag, the handles with their
        regions, where the model knows more of what is grabbed than the frame shows.
    before(conditions, context): with it; of a chunk that is redone, since something of its last
        frame was grasped, the context of before it, told of that.
    past_of(context): what of it a reference reads, where the rest is large.
    is_strange(context): it does not know this scene, and lets only what is dragged move.
    lighter(speed): itself at that share of its cost, with the words ``given_up``, or None.
    most_goals: of planners at once, for which the memory has room; None: any.
    """

    image_size: tuple[int, int]
    frame_period_secs: float
    frames_per_chunk: int
    frames_per_latent: int
    latent_shape: tuple[int, int, int]
    token_grid: tuple[int, int]
    sigmas: tuple[float, ...]
    follows_maps: bool
    profiles: dict[str, DragGuidanceConfig]

    def empty_context(self) -> Any:
        """Return the context of a stream that has seen nothing."""
        ...

    def encode(self, frames: np.ndarray) -> torch.Tensor:
        """Encode a whole clip (T, H, W, 3) uint8 RGB as (n, C, h, w) of about unit variance."""
        ...

    def decode(self, latents: torch.Tensor) -> np.ndarray:
        """Decode the latents (n, C, h, w) of a whole clip as (T, H, W, 3) uint8 RGB frames."""
        ...

    def take(self, frames: np.ndarray, context: Any) -> tuple[torch.Tensor, Any]:
        """Encode real frames (T, H, W, 3) uint8 RGB that follow those of the context.

        T is 1 for a stream's first, then ``frames_per_latent``.  Returns their latents, which may
        be several for the first, and the context to ``commit`` them to.
        """
        ...

    def condition(self, context: Any, newest: np.ndarray, drag_maps: torch.Tensor | None = None,
                  held: Held | None = None, guess: torch.Tensor | None = None,
                  settle: bool = True) -> Conditions:
        """Prepare to predict the chunk that follows ``newest``, (H, W, 3) uint8 RGB.

        drag_maps: (F, 6, h, w) of core.drag_maps, for a model that was trained with them.
        held: what the guess shall show in its place.  guess: (F, C, h, w), instead of the model's.
        settle: the model may take parts of its guess for final; False where only guidance moves
            what is dragged.
        """
        ...

    def denoise(self, x: torch.Tensor, step: int, conditions: Any, taps: Sequence[int] = (),
                stop_after_taps: bool = False) -> Denoised:
        """Estimate the clean chunk from the noisy one ``x`` at noise level ``sigmas[step]``.

        conditions: what ``condition`` returned.
        taps: indices of the attention blocks whose queries, keys and values are returned.
        """
        ...

    def finish(self, x0: torch.Tensor, conditions: Any) -> tuple[torch.Tensor, ArrayLike, Any]:
        """Decode a predicted chunk.

        Returns it as it is to be remembered, its frames (T, H, W, 3) uint8 RGB, and the context to
        ``commit`` it to.  A model without a guess returns x0 itself.  The frames may be whatever
        numpy.asarray turns into them, and are asked for after ``commit``.
        """
        ...

    def commit(self, x0: torch.Tensor, context: Any) -> Any:
        """Return the context that also remembers the clean frames; ``context`` stays valid."""
        ...
