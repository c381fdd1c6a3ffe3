"""Node ``predictor``: camera images and drags in, predicted images out.

This file only wires. Every callback is short and all of them run in one thread, so there is no
lock: pixels go into the worker's mailbox, messages into its pipe, and what it answers wakes the
executor up. docs/topics.md describes what it does from the outside.
"""

from __future__ import annotations

import functools
import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType, JumpThreshold
from rclpy.duration import Duration
from rclpy.exceptions import ParameterException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.msg import Drag, PredictionInfo
from dragstream_ros.nodes.camera_watch import JUMP_SECS, CameraWatch, Order
from dragstream_ros.nodes.diagnostics import Statistics
from dragstream_ros.nodes.drag_input import DragInput
from dragstream_ros.nodes.image_input import ImageInput
from dragstream_ros.nodes.parameters import declare_parameters, refusal
from dragstream_ros.nodes.player import Player
from dragstream_ros.nodes.predict_action import PredictAction
from dragstream_ros.nodes.problems import ProblemReporter
from dragstream_ros.nodes.spin import run_node
from dragstream_ros.nodes.worker_link import WorkerLink
from dragstream_ros.worker.mailbox import RawFrame
from dragstream_ros.worker.protocol import (
    CancelDrag,
    Chunk,
    FromWorker,
    GoalDone,
    GoalProgress,
    Gone,
    Problem,
    Ready,
    Reset,
    Retune,
    Setup,
    Speed,
    Stats,
)
from dragstream_ros.worker.supervisor import SupervisorConfig, resident_bytes

HOUSEKEEPING_SECS = 0.25
ANSWER_SECS = 0.1  # rclpy answers a goal after the callback that ends it

_Transition = Callable[['Predictor', LifecycleState], TransitionCallbackReturn]


def _told_when_it_fails(transition: _Transition) -> _Transition:
    """The lifecycle swallows exceptions: without this nobody learns why a transition failed."""
    @functools.wraps(transition)
    def run(node: Predictor, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(node, state)
        except Exception:
            node.get_logger().error(f'{transition.__name__} failed:\n{traceback.format_exc()}')
            return TransitionCallbackReturn.ERROR

    return run


class Predictor(LifecycleNode):
    """Configured, it has a worker that holds the world model; active, it serves."""

    def __init__(self) -> None:
        super().__init__('predictor')
        self._statistics = Statistics()
        self._problems = ProblemReporter(
            self.get_logger(), count=self._statistics.count_error, publish=self._publish_info)
        self._worker = WorkerLink(self, self._statistics.timed('worker event', self._on_event))
        self._drag_input = DragInput()
        self._camera_watch = CameraWatch()
        self._player: Player | None = None  # while configured
        self._image_input: ImageInput | None = None  # while active
        self._generation = 0  # of frames, drags and predictions: grows at every fresh start
        self._next_epoch = 0

        # After what destroy_node() needs: rclpy calls it too when a parameter is refused here.
        self._settings = declare_parameters(self)
        self.add_on_set_parameters_callback(self._on_set_parameters)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 1)
        self.create_timer(1.0, self._statistics.timed('diagnostics', self._on_diagnostics))
        self.create_service(Trigger, '~/reset', self._on_reset)
        self._jump = self.get_clock().create_jump_callback(
            JumpThreshold(min_forward=None, min_backward=Duration(seconds=-JUMP_SECS),
                          on_clock_change=False),
            post_callback=lambda jump: self._on_clock_jump())
        if self._settings.autostart:
            if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
                self.trigger_activate()

    # Lifecycle.

    @_told_when_it_fails
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Create the outputs and start the worker, which loads the model in its own time."""
        self.get_logger().info(f'loads {self._settings.world_model}')
        self._player = Player(self, self._statistics, lambda: self._settings)
        output = self._player.output
        self._goals = PredictAction(
            self, send=self._worker.send, clip=output.clip,
            is_active=lambda: self._image_input is not None, generation=lambda: self._generation,
            default_horizon_secs=lambda: self._settings.horizon_secs,
            camera_info=lambda: output.camera_info)
        self._worker.start(
            self._worker_setup,
            SupervisorConfig(silent_after_secs=self._settings.worker_silent_secs))
        return TransitionCallbackReturn.SUCCESS

    @_told_when_it_fails
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe."""
        timed = self._statistics.timed
        self._start_over()
        self._image_input = ImageInput(self, self._settings, timed('image', self._on_frame))
        self._inputs = [
            self.create_subscription(
                CameraInfo, 'camera_info', timed('camera_info', self._on_camera_info),
                qos_profile_sensor_data),
            self.create_subscription(Drag, 'drag', timed('drag', self._on_drag), 10),
        ]
        # Not on the node's clock: a paused bag must not keep us from finding its publisher.
        self._housekeeping_timer = self.create_timer(
            HOUSEKEEPING_SECS, timed('housekeeping', self._on_housekeeping),
            clock=Clock(clock_type=ClockType.STEADY_TIME))
        return super().on_activate(state)

    @_told_when_it_fails
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and forget; the worker stays, with the model loaded."""
        self.stop_serving()
        return super().on_deactivate(state)

    @_told_when_it_fails
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End the worker and remove the outputs."""
        self._remove_all()
        return TransitionCallbackReturn.SUCCESS

    @_told_when_it_fails
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """The same, from any state, once the goals that this ends have been answered."""
        self.stop_serving()

        def remove() -> None:
            timer.cancel()
            self._remove_all()

        timer = self.create_timer(
            ANSWER_SECS, remove, clock=Clock(clock_type=ClockType.STEADY_TIME))
        return TransitionCallbackReturn.SUCCESS

    @_told_when_it_fails
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go back to unconfigured after a transition that failed, so that it can be tried again."""
        self._remove_all()
        return TransitionCallbackReturn.SUCCESS

    def destroy_node(self) -> None:
        """End the worker first: until it is gone, it may still wake the node."""
        self._remove_all()
        self._worker.join()
        super().destroy_node()

    def stop_serving(self) -> None:
        """Unsubscribe, forget, and answer all goals; the executor sends the answers."""
        if self._image_input is None:
            return
        self._image_input.destroy()
        self._image_input = None
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self.destroy_timer(self._housekeeping_timer)
        self._start_over()
        self._goals.fail_all(ErrorCode.CANCELLED, 'The predictor was deactivated.')

    def _remove_all(self) -> None:
        self.stop_serving()
        if self._player is None:
            return
        self._worker.stop()
        self._goals.destroy()
        self._player.destroy()
        self._player = None

    # What comes in.

    def _on_frame(self, frame: RawFrame, frame_id: str) -> None:
        if not frame.stamp_ns:
            self._report(Problem(
                code=ErrorCode.IMAGE_MALFORMED,
                sentence='The camera image has no stamp; the camera driver has to fill it in.'))
            return
        order = self._camera_watch.see(frame.stamp_ns, self._now_secs())
        if order is Order.OUT_OF_ORDER:
            self._statistics.drops['image out of order'] += 1
            return
        if order is Order.JUMPED_BACK:
            self._jump_back()
            self._camera_watch.see(frame.stamp_ns, self._now_secs())
        assert self._player is not None
        self._player.output.frame_id = frame_id
        self._worker.put(replace(frame, generation=self._generation))
        self._statistics.got_image(frame)

    def _on_camera_info(self, message: CameraInfo) -> None:
        assert self._player is not None
        self._player.output.camera_info = message

    def _on_drag(self, message: Drag) -> None:
        try:
            told = self._drag_input.handle(
                message, generation=self._generation, now_secs=time.monotonic())
            if isinstance(told, CancelDrag) and self._player is not None:
                self._player.drop_drag(told.drag_id)
            if told is not None and not self._worker.send(told):
                raise DragStreamError(
                    ErrorCode.WORKER_DIED, 'The worker is being started again; drag again soon.')
        except DragStreamError as error:
            self._report(Problem(
                code=error.code, sentence=error.sentence, drag_id=message.drag_id))

    def _on_reset(
        self, request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        response.success = self._image_input is not None
        if response.success:
            self._start_over()
            response.message = 'The prediction starts over with the next image.'
        else:
            response.message = 'The predictor is not active; there is nothing to reset.'
        return response

    def _on_set_parameters(self, changes: list[Parameter]) -> SetParametersResult:
        values = {change.name: change.value for change in changes}
        reason = refusal(values, is_configured=self._player is not None)
        if reason:
            return SetParametersResult(successful=False, reason=reason)
        before, self._settings = self._settings, self._settings.changed(values)
        if self._settings.stream_settings != before.stream_settings:
            self._worker.send(Retune(settings=self._settings.stream_settings))
        return SetParametersResult(successful=True)

    # Fresh starts.

    def _start_over(self) -> None:
        """Forget all frames, the drag, and every prediction that is still on its way."""
        self._generation += 1
        self._camera_watch.start_over(self._now_secs())
        self._drag_input.forget()
        if self._player is not None:
            self._player.clear()
        self._worker.flush()
        self._worker.send(Reset(generation=self._generation))

    def _on_clock_jump(self) -> None:
        """/clock went back; the images' stamps may have told us already."""
        if self._camera_watch.clock_was_set_back(self._now_secs()):
            self._jump_back()

    def _jump_back(self) -> None:
        self._start_over()
        self._report(Problem(
            code=ErrorCode.CLOCK_JUMPED_BACK,
            sentence='Time went backwards (does a bag loop?); the prediction starts over.'))

    # What the worker says.

    def _worker_setup(self) -> Setup:
        return Setup(
            world_model=self._settings.world_model,
            weights_folder=self._settings.weights_folder,
            memory_budget_gb=self._settings.memory_budget_gb,
            keep_up=self._settings.keep_up,
            min_speed=self._settings.min_speed,
            settings=self._settings.stream_settings,
            first_epoch=self._next_epoch,
            planning_share=self._settings.planning_share)

    def _on_event(self, event: FromWorker) -> None:
        assert self._player is not None
        if isinstance(event, Chunk):
            self._on_chunk(event)
        elif isinstance(event, GoalProgress):
            self._goals.on_progress(event)
        elif isinstance(event, GoalDone):
            self._goals.on_done(event)
        elif isinstance(event, Stats):
            self._statistics.worker_stats = event
        elif isinstance(event, Speed):
            self._statistics.speed = event
            self.get_logger().info(
                f'this computer makes {event.undragged:.2g} s of video a second, '
                f'{event.dragged:.2g} while something is dragged')
        elif isinstance(event, Problem):
            self._report(event)
        elif isinstance(event, Gone):
            self._drag_input.forget()
            self._player.clear()
            self._goals.fail_all(event.code, event.sentence)
        elif isinstance(event, Ready):
            self._player.set_frame_period(event.frame_period_secs)
            self.get_logger().info(
                f'{self._settings.world_model} loaded in {event.load_secs:.1f} s: predicts '
                f'{event.image_size[0]}x{event.image_size[1]} pixels, one frame every '
                f'{event.frame_period_secs:g} s, {event.frames_per_chunk} at a time')

    def _on_chunk(self, chunk: Chunk) -> None:
        assert self._player is not None
        self._next_epoch = max(self._next_epoch, chunk.epoch + 1)
        if self._image_input is None or chunk.generation != self._generation:
            self._statistics.drops['chunk from before a fresh start'] += 1
            return
        self._player.offer(chunk, self._drag_input.handle_names(chunk.drag_id))

    # Once in a while.

    def _on_housekeeping(self) -> None:
        assert self._image_input is not None
        self._image_input.check_offer()
        self._goals.cancel_unheard()
        ended = self._drag_input.timed_out(
            now_secs=time.monotonic(), timeout_secs=self._settings.drag_timeout_secs)
        if ended is not None:
            self._worker.send(ended)
        silent_secs = self._camera_watch.new_silence_secs(
            self._now_secs(), timeout_secs=self._settings.image_timeout_secs)
        if silent_secs is not None:
            self._report(Problem(
                code=ErrorCode.IMAGE_STALLED,
                sentence=f'No image on {self._image_input.topic} for {silent_secs:.0f} s; the '
                'prediction waits for the next one.'))

    def _on_diagnostics(self) -> None:
        source = self._image_input
        status = self._statistics.report(f'{self.get_fully_qualified_name()}: prediction', {
            'lifecycle': 'active' if source else 'inactive' if self._player else 'unconfigured',
            'image topic': source.topic if source else '',
            'image reliability': source.reliability.name.lower() if source else '',
            'worker': self._worker.state.value,
            'worker restarts': self._worker.n_restarts,
            'memory of worker, MB': self._worker.resident_bytes() / 1e6,
            'memory of node, MB': resident_bytes(os.getpid()) / 1e6,
        })
        header = Header(stamp=self.get_clock().now().to_msg())
        self._diagnostics.publish(DiagnosticArray(header=header, status=[status]))

    def _report(self, problem: Problem) -> None:
        frame_id = self._player.output.frame_id if self._player is not None else ''
        self._problems.report(problem, frame_id=frame_id)

    def _publish_info(self, info: PredictionInfo) -> None:
        if self._player is not None:
            self._player.output.publish_problem(info)

    def _now_secs(self) -> float:
        return float(self.get_clock().now().nanoseconds) / 1e9


def main() -> int:
    """Serve until told to end; returns the exit status."""
    return run_node(
        Predictor, refusals=(ParameterException,), last_words=Predictor.stop_serving)


if __name__ == '__main__':
    sys.exit(main())
