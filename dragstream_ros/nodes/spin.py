"""From a node's constructor to a clean end of its process."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable
from typing import Any

import rclpy
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node

from dragstream_ros.transport import set_up_transport


def run_node(
    make_node: Callable[[], Node], *, refusals: tuple[type[Exception], ...] = ()
) -> int:
    """Make a node and serve it until it is told to end.

    :param refusals: what the constructor may raise, with one sentence for the user
    :returns: the exit status, 1 after a refusal
    """
    set_up_transport()
    rclpy.init()
    node = None
    try:
        node = make_node()
        rclpy.spin(node)
    except refusals as error:
        rclpy.logging.get_logger(make_node.__name__).error(str(error))
        return 1
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except RuntimeError:  # RCLError, too: a signal came while rclpy was at work
        if rclpy.ok():
            raise
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C comes twice: its own and launch's
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


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
