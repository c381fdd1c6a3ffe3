"""From a node's constructor to a clean end of its process."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable
from typing import Any

import rclpy
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from dragstream_ros.transport import set_up_transport
from dragstream_ros.watchdog import set_up_watchdog, show_life, stop_watchdog

WAKE_SECS = 0.05  # how soon a signal is noticed
LAST_WORDS_SECS = 0.1


def run_node(
    make_node: Callable[[], Node], *, refusals: tuple[type[Exception], ...] = (),
    last_words: Callable[[Any], None] = lambda node: None,
) -> int:
    """Make a node and serve it until it is told to end, by SIGINT or SIGTERM.

    :param refusals: what the constructor may raise, with one sentence for the user
    :param last_words: called with the node then; what it has to send has LAST_WORDS_SECS
    :returns: the exit status, 1 after a refusal

    A node that is stuck, in a callback or in the middleware, is ended by the watchdog.
    """
    set_up_transport()
    # With rclpy's own handlers nothing could be sent any more after a signal.
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node, is_told = None, False

    def tell(*_: object) -> None:
        nonlocal is_told
        is_told = True  # Ctrl-C comes twice: its own and launch's
        if node is None:
            raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, tell)
    set_up_watchdog()
    try:
        node = make_node()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        _spin(executor, lambda: is_told)
        if is_told:
            last_words(node)
            end = time.monotonic() + LAST_WORDS_SECS
            _spin(executor, lambda: time.monotonic() >= end)
    except refusals as error:
        rclpy.logging.get_logger(make_node.__name__).error(str(error))
        return 1
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


def _spin(executor: SingleThreadedExecutor, is_over: Callable[[], bool]) -> None:
    while rclpy.ok() and not is_over():     # a node may have ended itself
        show_life()
        executor.spin_once(timeout_sec=WAKE_SECS)
    stop_watchdog()


def declare(
    node: Node,
    name: str,
    default: bool | int | float | str,
    description: str,
    limits: tuple[float, float] | None = None,
) -> Any:
    """Declare a parameter that is read once, at the start, and return its value.

    :param limits: lowest and highest number
    :raises ValueError: it is not a finite number (NaN passes rclpy's ranges)
    """
    descriptor = ParameterDescriptor(description=description, read_only=True)
    if limits is not None and isinstance(default, float):
        descriptor.floating_point_range = [
            FloatingPointRange(from_value=limits[0], to_value=limits[1])]
    elif limits is not None:
        descriptor.integer_range = [
            IntegerRange(from_value=int(limits[0]), to_value=int(limits[1]))]
    value = node.declare_parameter(name, default, descriptor).value
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f'The parameter {name} is {value}; please give a finite number.')
    return value
