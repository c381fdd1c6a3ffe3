"""``dragstream replay``: predict along a recorded bag, and write the predictions to a new one."""

from __future__ import annotations

import argparse
import contextlib
import json
import pathlib
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TextIO

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message

from dragstream_ros.evaluation.drag_plan import (
    DragPlanError,
    PlannedDrag,
    load_drags,
    parse_drag,
)
from dragstream_ros.evaluation.image_bag import BagError, ImageBag, open_image_bag, stamp_of
from dragstream_ros.evaluation.listener import TOPICS, Listener
from dragstream_ros.evaluation.pictures import write_pictures
from dragstream_ros.evaluation.planned_operator import PlannedOperator
from dragstream_ros.evaluation.prediction_bag import PredictionBag, read_recording
from dragstream_ros.evaluation.progress import Progress, bar
from dragstream_ros.evaluation.recording import Recording
from dragstream_ros.evaluation.run_guard import (
    ended_by_signals,
    keep_to_this_machine,
    last_complaint,
)
from dragstream_ros.graph import BAG_REPLAY, PREDICTOR, Argument, Launch
from dragstream_ros.msg import Drag, PredictionInfo
from dragstream_ros.runner import NodeGroup, RunError
from dragstream_ros.worker.supervisor import SupervisorConfig

PREDICTING = Launch(
    'replay', 'the predictor', (PREDICTOR,),
    tuple(
        Argument(name, 'predictor', name, '')
        for name in ('control', 'image_transport', 'world_model', 'weights_folder')
    ))
PLAYING = Launch(
    'replay', 'the camera', (BAG_REPLAY,),
    tuple(
        Argument(name, 'bag_replay', name, '')
        for name in ('bag', 'image_topic', 'rate', 'loop', 'publish_clock', 'n_subscribers')
    ))
DIAGNOSTICS = '/diagnostics'
IMAGES = ('image', 'image/compressed')
READY_SECS = SupervisorConfig.start_within_secs + 30.0  # the model's time, and the node's own
LOOK_EVERY_SECS = 0.2
LAST_PREDICTIONS_SECS = 1.5


class ReplayError(Exception):
    """The replay did not work; the text is one sentence."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line of ``dragstream replay``."""
    parser.add_argument('bag', type=pathlib.Path, help='a rosbag2 bag, MCAP or sqlite3')
    parser.add_argument(
        '--output', type=pathlib.Path, default=pathlib.Path('replay_output'),
        help='new folder for the bag of predictions, contact sheet and film '
        '(default: %(default)s)')
    parser.add_argument(
        '--image-topic', default='', help='which images, if the bag has several topics of them')
    parser.add_argument(
        '--drag', action='append', default=[], metavar='X,Y,X,Y[@SECS]',
        help='drag from a pixel to another within 1 s, on the image that long after the first '
        '(default: 1); more points may follow, and more drags')
    parser.add_argument(
        '--drags', type=pathlib.Path, metavar='YAML',
        help='list of {at_secs, path: [[x, y], ...], duration_secs}')
    parser.add_argument('--control', choices=('conditioned', 'guidance'), default='conditioned')
    parser.add_argument('--rate', type=float, default=1.0, help='speed of the replay')
    parser.add_argument(
        '--loop', action='store_true', help='again and again until Ctrl-C, drags and all; what is '
        'written is the first time')
    parser.add_argument('--world-model', default='', help='see the parameter of the predictor')
    parser.add_argument('--weights', default='', help='folder of other weights than the bundled')


def main(args: argparse.Namespace) -> int:
    """Replay a bag; 0 if predictions were written."""
    try:
        drags = [parse_drag(text) for text in args.drag]
        drags += load_drags(args.drags) if args.drags else []
        with ended_by_signals():
            Replay(args, drags, sys.stdout).run()
    except (BagError, DragPlanError, ReplayError, RunError, OSError) as error:
        print(f'dragstream replay: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('dragstream replay: stopped; all nodes have ended.', file=sys.stderr)
        return 130
    return 0


class Replay:
    """One run: the predictor, the bag as its camera, and somebody who drags as planned."""

    def __init__(
        self, args: argparse.Namespace, drags: Sequence[PlannedDrag], out: TextIO
    ) -> None:
        """Take what add_arguments describes; what is said goes to out."""
        self._args = args
        self._out = out
        self._progress = Progress(out)
        self._operator = PlannedOperator(drags)
        self._log_path = args.output / 'nodes.log'
        self._is_ready = threading.Event()
        self._is_again = threading.Event()  # the bag has been played, and is in its loop
        self._first_ns: int | None = None
        self._has_moved_on = False
        self._before = Recording()  # what the predictor says before it is ready
        self._counts: Counter[str] = Counter()

    def run(self) -> None:
        """Replay, then write the pictures; raises BagError, ReplayError, RunError, OSError."""
        bag = open_image_bag(self._args.bag, image_topic=self._args.image_topic)
        about = describe(bag)
        self._say(about)
        keep_to_this_machine()
        predictions = self._args.output / 'predictions'
        if predictions.exists():
            raise ReplayError(f'{predictions} exists already; please name another --output.')
        self._args.output.mkdir(parents=True, exist_ok=True)
        try:
            with self._log_path.open('w') as log, PredictionBag(predictions, TOPICS) as written:
                self._replay(bag, log, written)
        finally:
            if not self._counts['prediction/clip']:  # it would only be in the way next time
                shutil.rmtree(predictions)
        self._progress.finish()
        if not self._counts['prediction/clip']:
            raise ReplayError(f'Nothing was predicted; {last_complaint(self._log_path)}')
        self._say(f'{predictions}: ' + ', '.join(
            f'{count} on {topic}' for topic, count in sorted(self._counts.items())))
        recording = read_recording(predictions, section=self._args.control)
        for problem, count in Counter(recording.problems).items():
            self._say(f'  {count} x: {problem.sentence}')
        lines = write_pictures(
            recording,
            self._args.output,
            title='Predicted along a recorded bag',
            subtitle=about,
            footer='The drags were made up for this replay: the lower rows show what the camera '
            'saw. The bundled world model has learnt from a simulation alone.',
            progress=self._progress,
            run_rate=self._args.rate,
        )
        self._say('\n'.join(lines))

    def _replay(self, bag: ImageBag, log: TextIO, written: PredictionBag) -> None:
        args = self._args
        transport = 'compressed' if bag.is_compressed else 'raw'
        predictor = NodeGroup(PREDICTING, log=log, said={
            'control': args.control, 'image_transport': transport,
            'world_model': args.world_model,
            'weights_folder': json.dumps(args.weights) if args.weights else ''})
        camera = NodeGroup(PLAYING, log=log, said={
            'bag': json.dumps(str(args.bag)), 'image_topic': args.image_topic,
            'rate': str(float(args.rate)), 'loop': str(args.loop).lower(),
            'publish_clock': 'true', 'n_subscribers': '2'})

        def on_message(topic: str, cdr: bytes, arrival_ns: int) -> None:
            if topic == DIAGNOSTICS:
                self._look_for_worker(deserialize_message(cdr, DiagnosticArray))
                return
            if topic == 'prediction/info' and not self._is_ready.is_set():
                self._before.add_info(deserialize_message(cdr, PredictionInfo), arrival_ns)
            if topic in IMAGES:
                self._operator.see(topic, cdr)
                self._look_for_loop(stamp_of(cdr), bag.n_images)
            if not self._is_again.is_set():  # a loop would fill any disk
                self._counts[topic] += 1
                written.write(topic, cdr)

        topics = {**TOPICS, DIAGNOSTICS: DiagnosticArray}
        del topics['image' if bag.is_compressed else 'image/compressed']
        with Listener(topics, on_message) as listener:
            self._operator.publisher = listener.node.create_publisher(
                Drag, 'drag', QoSProfile(depth=10))
            self._progress.show(['starting the predictor ...'], plain='starting the predictor ...')
            with predictor:
                self._await_ready(predictor)
                with camera, self._ctrl_c_ends_the_loop():
                    self._watch(bag, predictor, camera)
                time.sleep(LAST_PREDICTIONS_SECS)

    def _look_for_loop(self, stamp_ns: int, n_images: int) -> None:
        """The first stamp comes again, or all images were seen: stamps may all be alike."""
        if self._first_ns is None:
            self._first_ns = stamp_ns
        is_first = stamp_ns == self._first_ns
        if self._args.loop and (self._n_images() >= n_images or is_first and self._has_moved_on):
            self._is_again.set()
        self._has_moved_on |= not is_first

    def _n_images(self) -> int:
        return sum(self._counts[topic] for topic in IMAGES)

    def _look_for_worker(self, diagnostics: DiagnosticArray) -> None:
        for status in diagnostics.status:
            for value in status.values:
                if value.key == 'worker' and value.value == 'running':
                    self._is_ready.set()

    def _await_ready(self, predictor: NodeGroup) -> None:
        deadline = time.monotonic() + READY_SECS
        while not self._is_ready.wait(LOOK_EVERY_SECS):
            final = [problem for problem in self._before.problems if problem.is_final]
            if final:
                raise ReplayError(final[0].sentence)
            if predictor.ended() or time.monotonic() > deadline:
                raise ReplayError(
                    f'The predictor did not get ready; {last_complaint(self._log_path)}')

    @contextlib.contextmanager
    def _ctrl_c_ends_the_loop(self) -> Iterator[None]:
        """What was played whole is worth its pictures."""
        try:
            yield
        except KeyboardInterrupt:
            if not self._is_again.is_set():
                raise

    def _watch(self, bag: ImageBag, predictor: NodeGroup, camera: NodeGroup) -> None:
        """Show how it goes until the bag has been played."""
        is_told = False
        while (ended := camera.ended() or predictor.ended()) is None:
            images = self._n_images()
            clips = self._counts['prediction/clip']
            if self._is_again.is_set():
                if not is_told:
                    self._progress.finish()
                    self._say('it plays again and again, until Ctrl-C')
                is_told = True
                time.sleep(LOOK_EVERY_SECS)
                continue
            self._progress.show(
                [f'{bar(images / bag.n_images)} {images} of {bag.n_images} images, '
                 f'{clips} clips predicted'],
                plain=f'{images} of {bag.n_images} images, {clips} clips predicted')
            time.sleep(LOOK_EVERY_SECS)
        name, status = ended
        if status or name != 'bag_replay':
            raise ReplayError(
                f'{name} ended with status {status}; {last_complaint(self._log_path)}')

    def _say(self, line: str) -> None:
        print(line, file=self._out, flush=True)


def describe(bag: ImageBag) -> str:
    """What a reader of the results should know about a bag, in a line or two."""
    kind = 'compressed' if bag.is_compressed else 'raw'
    facts = [
        f'{bag.path.name}: {bag.n_images} {kind} images in {bag.duration_secs:.1f} s '
        f'({bag.image_rate_hz:.0f} Hz)']
    if bag.is_synthetic:
        facts.append('written by a program, not recorded from a running camera')
    if not bag.is_calibrated:
        facts.append('not calibrated')
    return ', '.join(facts) + '.'
