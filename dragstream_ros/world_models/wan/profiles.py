"""How guidance is set for Wan: the authors' numbers, which are of a 480 x 832 picture, in cells."""
from __future__ import annotations

from dataclasses import replace

from dragstream_ros.core.distribution_rectification import DistributionRectificationConfig
from dragstream_ros.core.drag_guidance import DragGuidanceConfig
from dragstream_ros.core.frequency_selection import FrequencySelectionConfig
from dragstream_ros.world_models.wan.config import WanConfig

# Wan guesses nothing, so nothing is compared with a guess.
_WAN = DragGuidanceConfig(latent_weight=0.0, start_from_held=False, select_source=False)
_PROFILES = {
    'code': replace(
        _WAN, iterations_per_segment=5, max_segments=8, update='sign', rate=0.02, distance='l2',
        corner_aligned=True, sigma_ratio=1.875),
    'paper': replace(
        _WAN, iterations_per_segment=4, background='features', sigma_ratio=0.5,
        frequency=FrequencySelectionConfig(cutoffs=(0.2, 0.4, 0.6, 1.0)),
        rectification=DistributionRectificationConfig(
            in_loop='neighbours', after_loop=False, x0=False)),
    # Nothing beyond the last tapped block is run.
    'fast': replace(_WAN, iterations_per_segment=4, background='features'),
}


def wan_profiles(config: WanConfig) -> dict[str, DragGuidanceConfig]:
    """Return 'fast' (ours), 'code' and 'paper' (spec 1.7) for a model of this configuration."""
    return {name: replace(profile, taps=config.taps, guided_step=config.guided_step)
            for name, profile in _PROFILES.items()}
