"""Brings a lifecycle node up over its services, as launch does by events."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

TIMEOUT_SECS = 60.0  # configuring may load a large model from a slow disk


def bring_up(
    path: str, *, is_alive: Callable[[], bool], timeout_secs: float = TIMEOUT_SECS
) -> str | None:
    """Configure and activate a node.

    :param path: the node's full name, with a leading slash
    :param is_alive: tells whether its process still runs
    :returns: None, or what it did instead, to go after the node's name in a sentence
    """
    import rclpy  # here: what only describes or starts nodes works without
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState
    from rclpy.signals import SignalHandlerOptions

    context = rclpy.Context()
    rclpy.init(context=context, signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node(f'bring_up_{os.getpid()}', context=context)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(node)
    deadline = time.monotonic() + timeout_secs

    def spin_until(condition: Callable[[], bool]) -> str | None:
        while not condition():
            if not is_alive():
                return 'ended'
            if time.monotonic() > deadline:
                return f'did not come up within {timeout_secs:g} s'
            executor.spin_once(timeout_sec=0.05)
        return None

    try:
        client = node.create_client(ChangeState, f'{path}/change_state')
        if (trouble := spin_until(client.service_is_ready)) is not None:
            return trouble
        for transition, verb in (
            (Transition.TRANSITION_CONFIGURE, 'configured'),
            (Transition.TRANSITION_ACTIVATE, 'activated'),
        ):
            request = ChangeState.Request(transition=Transition(id=transition))
            answer = client.call_async(request)
            if (trouble := spin_until(answer.done)) is not None:
                return trouble
            if not answer.result().success:
                return f'could not be {verb}'
        return None
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown(context=context)
