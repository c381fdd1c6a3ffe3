"""A computer that cannot keep up: what it gives up, what it says, and when it is refused."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from predictor_harness import Bench, PredictorProcess, claimed_domain
from slow_world_model import SlowWorldModel

from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.worker.pace import Pace, PaceConfig, affordable_iterations
from dragstream_ros.worker.protocol import FromWorker, Problem, Speed, StreamSettings
from dragstream_ros.worker.speed_test import Costs, DragCosts, SpeedTest

GUIDED = StreamSettings(control='guidance')


class Clock:
    """Goes on only when somebody waits."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def wait(self, secs: float) -> None:
        self.now += secs


@pytest.fixture
def clock() -> Clock:
    torch.set_num_threads(1)
    return Clock()


def slow(clock: Clock, pass_secs: float, camera_secs: float = 0.0) -> SlowWorldModel:
    return SlowWorldModel(pass_secs=pass_secs, camera_secs=camera_secs, wait=clock.wait)


def paced(clock: Clock, model: SlowWorldModel, **config) -> Pace:
    return Pace(model, PaceConfig(**config), speed_test=partial(SpeedTest, clock=clock))


def problems(news: list[FromWorker]) -> list[str]:
    return [event.sentence for event in news
            if isinstance(event, Problem) and event.code == ErrorCode.WORKER_SLOW]


def test_the_timed_pass_finds_what_a_chunk_the_camera_and_an_iteration_cost(clock) -> None:
    model = slow(clock, pass_secs=0.2, camera_secs=0.01)
    test = SpeedTest(model, lambda: None, clock)
    costs = test.costs()
    assert costs.video_secs == pytest.approx(0.5)       # of five frames
    assert costs.camera_secs == pytest.approx(0.05) and costs.chunk_secs == pytest.approx(0.2)
    assert costs.speed() == pytest.approx(0.9 * 0.5 / 0.2)
    drag = test.drag_costs(costs, model.profiles['fast'], guided=True)
    # A pass an iteration; before the first, one for the handles.
    assert drag.iteration_secs == pytest.approx(0.2) and drag.once_secs == pytest.approx(0.2)
    conditioned = test.drag_costs(costs, model.profiles['fast'], guided=False)
    assert conditioned.secs(0) == pytest.approx(0.0)


def test_a_computer_that_keeps_up_gives_up_nothing_and_is_told_its_rate(clock) -> None:
    model = slow(clock, pass_secs=0.05)
    pace = paced(clock, model)
    assert pace.guidance(GUIDED) == model.profiles['fast']
    (speed,) = pace.news()
    assert isinstance(speed, Speed)
    assert speed.undragged == pytest.approx(10.0) and speed.dragged == pytest.approx(0.5 / 0.2)
    pace.guidance(GUIDED)
    assert pace.news() == []        # said once


def test_guidance_gives_up_iterations_until_it_keeps_up_and_says_so(clock) -> None:
    pace = paced(clock, slow(clock, pass_secs=0.14))
    profile = pace.guidance(GUIDED)
    assert (profile.max_segments, profile.iterations_per_segment) == (1, 1)
    speed, _ = news = pace.news()
    assert speed.dragged == pytest.approx(0.5 / 0.42)
    (sentence,) = problems(news)
    assert 'iterations of guidance 2 -> 1' in sentence and 'slower than real' not in sentence
    # An undragged stream, or one that is conditioned, costs what it did.
    assert pace.guidance(StreamSettings()).iterations_per_segment == 2
    assert problems(pace.news()) == []


def test_what_is_slow_all_the_same_is_told(clock) -> None:
    pace = paced(clock, slow(clock, pass_secs=0.4))
    assert pace.guidance(GUIDED).iterations_per_segment == 1
    (sentence,) = problems(pace.news())
    assert '2 -> 1' in sentence and 'slower than real time' in sentence


@pytest.mark.parametrize(('config', 'settings'), [
    ({'keep_up': False}, GUIDED), ({}, StreamSettings(control='guidance', profile='code'))])
def test_nothing_is_given_up_unasked_nor_of_the_published_profiles(clock, config, settings) -> None:
    model = slow(clock, pass_secs=0.4)
    pace = paced(clock, model, **config)
    assert pace.guidance(settings) == model.profiles[settings.profile]
    (sentence,) = problems(pace.news())
    assert 'gave up' not in sentence and 'slower than real time' in sentence


def test_a_world_model_that_can_be_lighter_is_so_first(clock) -> None:
    model, light = slow(clock, pass_secs=1.0), slow(clock, pass_secs=0.05)
    light.given_up = 'window 21 -> 9'
    asked = []
    model.lighter = lambda speed: asked.append(speed) or light
    pace = paced(clock, model)
    assert pace.world_model is light and asked == pytest.approx([0.5])
    assert pace.guidance(GUIDED).iterations_per_segment == 2
    assert 'gave up: window 21 -> 9' in problems(pace.news())[0]
    assert paced(clock, model, keep_up=False).world_model is model


@pytest.mark.parametrize('costs', [{'pass_secs': 20.0}, {'pass_secs': 0.1, 'camera_secs': 0.2}])
def test_what_is_slower_than_asked_for_is_refused_also_for_the_camera_alone(clock, costs) -> None:
    with pytest.raises(DragStreamError, match='0.05: take a smaller model') as refusal:
        paced(clock, slow(clock, **costs), min_speed=0.05)
    assert refusal.value.code == ErrorCode.TOO_SLOW
    paced(clock, slow(clock, **costs), min_speed=0.0)


def test_memory_that_runs_out_in_the_timed_pass_is_told_as_such(clock) -> None:
    def no_memory(secs: float) -> None:
        raise torch.OutOfMemoryError

    with pytest.raises(DragStreamError) as refusal:
        Pace(SlowWorldModel(pass_secs=1.0, wait=no_memory), PaceConfig())
    assert refusal.value.code == ErrorCode.OUT_OF_MEMORY


def test_a_very_slow_pass_is_not_repeated_and_signs_of_life_are_given(clock) -> None:
    passes, alive = [], []

    def wait(secs: float) -> None:
        passes.append(secs)
        clock.wait(secs)

    model = SlowWorldModel(pass_secs=60.0, wait=wait)
    SpeedTest(model, lambda: alive.append(clock.now), clock).costs()
    assert [secs for secs in passes if secs] == [60.0]
    assert len(alive) >= 2


def test_iterations_are_as_many_as_real_time_allows_and_never_less_than_one() -> None:
    costs = Costs(video_secs=0.75, camera_secs=0.1, chunk_secs=0.2)    # 0.65 s to compute in
    drag = DragCosts(once_secs=0.1, iteration_secs=0.1)
    found = [affordable_iterations(costs, drag, wanted) for wanted in (0, 1, 2, 4, 40)]
    assert found == [0, 1, 2, 3, 3]


def test_the_predictor_says_on_its_topics_how_slow_the_computer_is() -> None:
    with claimed_domain() as domain:
        predictor = PredictorProcess(world_model='slow_world_model:load')
        bench = Bench(domain)
        try:
            problem = bench.until(lambda: bench.problem(ErrorCode.WORKER_SLOW), 60.0)
            assert 'slower than real time' in problem.message
            bench.until(lambda: bench.status('possible s per s, undragged') not in (
                None, 'not measured'), 10.0)
            assert 0.0 <= float(bench.status('possible s per s, undragged')) < 1.0
            bench.until(bench.clips, 60.0, filming=True)
        finally:
            bench.close()
            predictor.kill()


def test_a_predictor_whose_computer_is_refused_says_so_and_will_try_again() -> None:
    with claimed_domain() as domain:
        predictor = PredictorProcess(world_model='tabletop', min_speed=1000.0)
        bench = Bench(domain)
        try:
            problem = bench.until(lambda: bench.problem(ErrorCode.TOO_SLOW), 60.0)
            assert 'min_speed asks for 1000' in problem.message
            bench.until(lambda: bench.status('worker') == 'waiting to restart', 30.0)
        finally:
            bench.close()
            predictor.kill()
