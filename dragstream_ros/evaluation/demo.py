"""``dragstream demo``: a simulated robot, someone who drags, the predictor; and pictures of it."""

from __future__ import annotations

import argparse
import contextlib
import math
import pathlib
import sys
import threading
import time
from dataclasses import dataclass
from typing import TextIO

from dragstream_ros.evaluation.listener import TOPICS, Listener, add_message
from dragstream_ros.evaluation.pictures import write_pictures
from dragstream_ros.evaluation.progress import Progress, Vitals, bar
from dragstream_ros.evaluation.recording import Recording
from dragstream_ros.evaluation.run_guard import (
    ended_by_signals,
    keep_to_this_machine,
    last_complaint,
)
from dragstream_ros.graph import (
    PREDICTOR,
    SCRIPTED_OPERATOR,
    TABLETOP_CAMERA,
    Argument,
    Launch,
)
from dragstream_ros.runner import NodeGroup, RunError
from dragstream_ros.simulation.no_graphics import NoGraphics
from dragstream_ros.simulation.recorded import RecordedTabletop
from dragstream_ros.simulation.tabletop import SOURCES, open_tabletop

ROBOT = Launch(
    'demo', 'the camera and the predictor', (TABLETOP_CAMERA, PREDICTOR),
    (
        Argument('source', 'tabletop_camera', 'source', ''),
        Argument('seed', 'tabletop_camera', 'seed', ''),
        Argument('world_model', 'predictor', 'world_model', ''),
    ))
OPERATOR = Launch(
    'demo', 'who drags', (SCRIPTED_OPERATOR,),
    (Argument('pause_secs', 'scripted_operator', 'pause_secs', ''),))
# The camera's JPEGs are all that pictures need, and cost less to keep than its raw images.
SEEN = {name: kind for name, kind in TOPICS.items() if name not in ('image', 'camera_info')}
SEED = 1_000_014
SHORTEST_SECS = 10.0
FIRST_PREDICTION_SECS = 90.0
LONGEST_DRAG_SECS = 5.0
LOOK_EVERY_SECS = 0.2
VITALS_SECS = 3.0


class DemoError(Exception):
    """The demo did not work; the text is one sentence."""


@dataclass(frozen=True)
class Stage:
    """A part of the run: how long, in shares of the whole, and what is done in it."""

    label: str
    control: str
    is_dragged: bool
    share: float


STAGES = (
    Stage('no drag yet', 'conditioned', False, 0.2),
    Stage('dragging, the model follows (control: conditioned)', 'conditioned', True, 0.4),
    Stage('dragging, DragStream guides (control: guidance)', 'guidance', True, 0.4),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line of ``dragstream demo``."""
    parser.add_argument(
        '--secs', type=_enough_secs, default=40.0,
        help='how long to run, without start and pictures (default: %(default)g)')
    parser.add_argument(
        '--output', type=pathlib.Path, default=pathlib.Path('demo_output'),
        help='folder for film, contact sheet and log (default: %(default)s)')
    parser.add_argument(
        '--source', choices=SOURCES, default='auto',
        help='the tabletop: simulated by MuJoCo, recorded, or what works here')
    parser.add_argument(
        '--seed', type=int, default=SEED,
        help='which tabletop; from a million on, the world model has never seen it')
    parser.add_argument('--world-model', default='', help='see the parameter of the predictor')


def main(args: argparse.Namespace) -> int:
    """Run the demo; 0 if frames flowed and the pictures are written."""
    try:
        with ended_by_signals():
            Demo(args, sys.stdout).run()
    except (DemoError, RunError, OSError) as error:
        print(f'dragstream demo: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('dragstream demo: stopped; all nodes have ended.', file=sys.stderr)
        return 130
    return 0


class Demo:
    """One run."""

    def __init__(self, args: argparse.Namespace, out: TextIO) -> None:
        """Take what add_arguments describes; what is said goes to out."""
        self._args = args
        self._out = out
        self._progress = Progress(out)
        self._recording = Recording()
        self._recording.begin_section(STAGES[0].control)
        self._summary: list[str] = []
        self._slowest_secs_per_sec = math.inf
        self._lock = threading.Lock()
        self._groups: list[NodeGroup] = []
        self._log_path = args.output / 'nodes.log'

    def run(self) -> None:
        """Run all stages, then write the pictures; raises DemoError, RunError, OSError."""
        self._args.output.mkdir(parents=True, exist_ok=True)
        domain = keep_to_this_machine()
        source, description = _choose_source(self._args.source, self._args.seed)
        self._say(f'Camera: {description}.')
        self._say(f'ROS_DOMAIN_ID={domain}, to look at the topics from another terminal.')
        said = {'source': source, 'seed': str(self._args.seed),
                'world_model': self._args.world_model}
        with (
            self._log_path.open('w') as log,
            Listener(SEEN, self._on_message) as listener,
            contextlib.ExitStack() as groups,
        ):
            self._progress.show(['starting the nodes ...'], plain='starting the nodes ...')
            self._start(ROBOT, said, log, groups)
            self._await_first_prediction()
            for number, stage in enumerate(STAGES):
                if stage.is_dragged and len(self._groups) == 1:
                    self._start(OPERATOR, {'pause_secs': '1.0'}, log, groups)
                self._set_control(listener, stage.control)
                self._watch(number, stage)
            self._progress.finish()
        self._check()
        self._say('\n'.join(['', *self._summary, '']))
        if self._slowest_secs_per_sec < 0.5:
            self._say('This computer is slow, or busy with other things: the predictions come '
                      'late, and there are few of them.\n')
        self._write_pictures(description)

    def _on_message(self, topic: str, cdr: bytes, arrival_ns: int) -> None:
        with self._lock:
            add_message(self._recording, topic, cdr, arrival_ns)

    def _start(
        self, launch: Launch, said: dict[str, str], log: TextIO, groups: contextlib.ExitStack
    ) -> None:
        group = NodeGroup(launch, said=said, log=log)
        try:
            self._groups.append(groups.enter_context(group))
        except RunError as error:
            raise DemoError(f'{error} {last_complaint(self._log_path)}') from error

    def _await_first_prediction(self) -> None:
        deadline = time.monotonic() + FIRST_PREDICTION_SECS
        while not self._recording.predictions:
            self._require_nodes()
            final = [problem for problem in self._recording.problems if problem.is_final]
            if final:
                raise DemoError(final[0].sentence)
            if time.monotonic() > deadline:
                what = 'was predicted' if self._recording.camera else 'came from the camera'
                raise DemoError(f'Nothing {what} within {FIRST_PREDICTION_SECS:g} s; '
                                f'{last_complaint(self._log_path)}')
            time.sleep(LOOK_EVERY_SECS)

    def _await_end_of_drag(self) -> None:
        deadline = time.monotonic() + LONGEST_DRAG_SECS
        while self._recording.drags and self._recording.drags[-1].command is not None:
            self._require_nodes()
            if time.monotonic() > deadline:
                break
            time.sleep(LOOK_EVERY_SECS)

    def _set_control(self, listener: Listener, control: str) -> None:
        if self._recording.section == control:
            return
        self._await_end_of_drag()  # the predictor starts over, and would not know its image
        with self._lock:
            self._recording.begin_section(control)
        trouble = listener.set_parameter('predictor', 'control', control)
        if trouble:
            raise DemoError(f'The predictor did not change to {control}: {trouble}')

    def _watch(self, number: int, stage: Stage) -> None:
        """Show how it goes until the stage is over."""
        started = time.monotonic()
        before_secs = self._args.secs * sum(earlier.share for earlier in STAGES[:number])
        while (secs := time.monotonic() - started) < self._args.secs * stage.share:
            self._require_nodes()
            self._show(before_secs + secs, stage)
            time.sleep(LOOK_EVERY_SECS)
        since_ns, now_ns = round(started * 1e9), time.monotonic_ns()
        with self._lock:
            vitals = Vitals.of(self._recording, since_ns, now_ns)
        self._slowest_secs_per_sec = min(
            self._slowest_secs_per_sec, vitals.predicted_secs_per_sec)
        self._summary.append(
            f'  {stage.label}: camera {vitals.camera_hz:.1f} images/s, predicted '
            f'{vitals.predicted_secs_per_sec:.1f} s/s, latency {vitals.latency_text}')

    def _show(self, secs: float, stage: Stage) -> None:
        now_ns = time.monotonic_ns()
        with self._lock:
            vitals = Vitals.of(self._recording, now_ns - round(VITALS_SECS * 1e9), now_ns)
            drags = len({drag.drag_id for drag in self._recording.drags})
            errors = [found for found in self._recording.problems if not found.code.is_warning]
        trouble = f'{len(errors)}, the last: {errors[-1].sentence}' if errors else 'none'
        latency = vitals.latency_text
        self._progress.show(
            [
                f'{bar(secs / self._args.secs)} {secs:4.0f} of {self._args.secs:.0f} s',
                f'  now        {stage.label}',
                f'  camera     {vitals.camera_hz:.1f} images/s',
                f'  predicted  {vitals.predicted_secs_per_sec:.1f} s of video per s',
                f'  latency    {latency}',
                f'  drags      {drags}',
                f'  errors     {trouble}',
            ],
            plain=f'{secs:4.0f} s: {stage.label}; camera {vitals.camera_hz:.1f} Hz, predicted '
            f'{vitals.predicted_secs_per_sec:.1f} s/s, latency {latency}, drags {drags}, '
            f'errors {len(errors)}',
        )

    def _require_nodes(self) -> None:
        for group in self._groups:
            if (ended := group.ended()) is not None:
                raise DemoError(f'{ended[0]} ended with status {ended[1]}; '
                                f'{last_complaint(self._log_path)}')

    def _check(self) -> None:
        """Raise DemoError unless there is something to see of every stage."""
        for stage in STAGES:
            found = [
                prediction for prediction in self._recording.predictions.values()
                if prediction.section == stage.control
                and bool(prediction.drag_id) == stage.is_dragged]
            if not found:
                raise DemoError(f'Nothing was predicted for the part "{stage.label}"; '
                                f'{last_complaint(self._log_path)}')

    def _write_pictures(self, description: str) -> None:
        lines = write_pictures(
            self._recording,
            self._args.output,
            title='Drag in the camera picture, get predicted video',
            subtitle=f'{description[0].upper()}{description[1:]}. Drags by a scripted operator, '
            'over ROS 2. Predicted on a CPU by the bundled world model, 128 x 128 pixels.',
            footer='Rings: where the drag wants what it holds at that moment. Shown are the '
            'longest drags of the run, however well they went.',
            progress=self._progress,
        )
        self._say('\n'.join(lines))

    def _say(self, line: str) -> None:
        print(line, file=self._out, flush=True)


def _enough_secs(text: str) -> float:
    secs = float(text)
    if not SHORTEST_SECS <= secs < math.inf:
        raise argparse.ArgumentTypeError(f'a demo takes {SHORTEST_SECS:g} s or more')
    return secs


def _choose_source(source: str, seed: int) -> tuple[str, str]:
    """What 'auto' comes to here, and one line about it."""
    try:
        tabletop = open_tabletop(seed, source=source)
        description = tabletop.description
    except NoGraphics as error:
        raise DemoError(str(error)) from error
    tabletop.close()
    return 'recorded' if isinstance(tabletop, RecordedTabletop) else 'mujoco', description
