"""How good are the world model's predictions, apart from whether drags succeed?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from dragstream_ros.core.world_model import WorldModel
from dragstream_ros.evaluation.drag_score import AREA_TOLERANCE
from dragstream_ros.evaluation.free_run import FreeRunConfig, run_free
from dragstream_ros.evaluation.held_out_scenes import Scene, SceneConfig, make_scenes
from dragstream_ros.evaluation.metrics import median_with_interval, share_with_interval
from dragstream_ros.evaluation.predict import predict_frames
from dragstream_ros.evaluation.scene_score import ObjectScore, SceneScore, score_scene
from dragstream_ros.evaluation.side_motion import SideMotionConfig, run_side_motion


@dataclass(frozen=True, kw_only=True)
class ModelBenchmarkConfig:
    """times_secs: after the last frame shown, when pictures are judged; seed: of the noise."""

    scenes: SceneConfig = field(default_factory=SceneConfig)
    times_secs: tuple[float, ...] = (0.5, 1.0, 2.0)
    seed: int = 0
    side_motion: SideMotionConfig = field(default_factory=SideMotionConfig)
    free_run: FreeRunConfig = field(default_factory=FreeRunConfig)


@dataclass(frozen=True, kw_only=True, eq=False)
class SceneResult:
    """One scene and its score; frames: what was scored, (F, H, W, 3) uint8 RGB by system.

    Beside the predictions, 'undragged' and 'conditioned', there are two yardsticks: 'copy_last',
    the last frame held, and 'reconstruction', the truth through the model's autoencoder, the best
    that the model can show.
    """

    scene: Scene
    frames: dict[str, np.ndarray]
    score: SceneScore


def run_model_benchmark(
        world_model: WorldModel, config: ModelBenchmarkConfig,
        watch: Callable[[SceneResult], None] = lambda result: None) -> dict[str, Any]:
    """Score the scenes' predictions, side effects of drags, and a free run.

    ``watch`` sees each scene's result as it comes. Returns plain data for JSON. Raises NoGraphics
    where nothing can be rendered.
    """
    scores: dict[int, SceneScore] = {}
    for scene in make_scenes(config.scenes):
        frames = predict_scene(world_model, scene, seed=config.seed)
        score = score_scene(scene, frames, config.times_secs)
        watch(SceneResult(scene=scene, frames=frames, score=score))
        scores[scene.seed] = score
    return {
        **summarise_scenes(list(scores.values()), config.times_secs),
        'side_motion': run_side_motion(world_model, config.side_motion),
        'free_run': run_free(world_model, config.free_run),
        'scenes': [{'seed': seed, **asdict(score)} for seed, score in scores.items()]}


def predict_scene(world_model: WorldModel, scene: Scene, *, seed: int) -> dict[str, np.ndarray]:
    """(F, H, W, 3) uint8 RGB by system and yardstick.

    Conditioned, the model is told where the palms of the grippers go that it sees, no more.
    """
    count, command = len(scene.future), scene.command()
    undragged, conditioned = (
        predict_frames(world_model, scene.past, scene.stamps_ns(), count, drag, seed=seed)
        for drag in (None, command))
    return {
        'undragged': undragged,
        'conditioned': conditioned,
        'reconstruction': world_model.decode(world_model.encode(scene.future)),
        'copy_last': np.repeat(scene.past[-1:], count, axis=0)}


def summarise_scenes(
        scores: Sequence[SceneScore], times_secs: Sequence[float]) -> dict[str, Any]:
    """Plain data: medians over scenes of picture quality, and the objects of all scenes.

    And the same, caused, of those scenes where grippers move all that moves.
    """
    caused = [score for score in scores if score.is_caused]
    return {**_summarise(scores, times_secs),
            'caused': _summarise(caused, times_secs) if caused else None}


def _summarise(scores: Sequence[SceneScore], times_secs: Sequence[float]) -> dict[str, Any]:
    return {
        'quality': {where: _summarise_quality(scores, times_secs, where)
                    for where in ('all', 'moving')},
        'objects': _summarise_objects(scores)}


def _summarise_quality(
        scores: Sequence[SceneScore], times_secs: Sequence[float], where: str) -> dict[str, Any]:
    """By system, for each of the times; nothing of what moves where nothing does."""
    return {
        name: [_quality_at(scores, name, index, where) | {'secs': secs}
               for index, secs in enumerate(times_secs)]
        for name in scores[0].quality}


def _quality_at(
        scores: Sequence[SceneScore], name: str, index: int, where: str) -> dict[str, Any]:
    """Medians over scenes; the gain is paired, scene by scene, over the last frame held."""
    found, held = (
        [judged[where] for judged in (score.quality[system][index] for score in scores)
         if where in judged]
        for system in (name, 'copy_last'))
    if not found:
        return {'n': 0}
    return {
        'n': len(found),
        'median_psnr_db': float(np.median([quality.psnr_db for quality in found])),
        'gain_db': asdict(median_with_interval([
            quality.psnr_db - before.psnr_db for quality, before in zip(found, held)])),
        'median_ssim': float(np.median([quality.ssim for quality in found])),
        'median_sharpness': float(np.median([quality.sharpness for quality in found]))}


def _summarise_objects(scores: Sequence[SceneScore]) -> dict[str, Any]:
    """Objects of all scenes by system, and how far the counting can be trusted."""
    errors = np.abs([error for score in scores for error in score.measure_errors])
    systems = {
        name: [scored for score in scores for scored in score.objects[name]]
        for name in scores[0].objects}
    return {
        'n_seen': sum(score.n_seen for score in scores),
        'measure': _summarise_measure(errors),
        'systems': {name: _summarise_system(objects)
                    for name, objects in systems.items() if objects}}


def _summarise_measure(errors: np.ndarray) -> dict[str, Any] | None:
    if not len(errors):
        return None
    return {'n': len(errors), 'within_tolerance': float((errors <= AREA_TOLERANCE).mean()),
            'median_error': float(np.median(errors))}


def _summarise_system(objects: Sequence[ObjectScore]) -> dict[str, Any]:
    return {
        'n': len(objects),
        'kept': asdict(share_with_interval(
            sum(scored.kept_area for scored in objects), len(objects))),
        'lost': asdict(share_with_interval(
            sum(scored.is_lost for scored in objects), len(objects))),
        'median_area_ratio': float(np.median([scored.area_ratio for scored in objects]))}
