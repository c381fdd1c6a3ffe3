"""Makes what ``ros2 launch`` wants from our description of the graph."""

from __future__ import annotations

import os

from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    OpaqueFunction,
    RegisterEventHandler,
    Shutdown,
)
from launch.events import matches_action
from launch_ros import actions
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from lifecycle_msgs.msg import Transition

from dragstream_ros.graph import LAUNCHES, Launch, Node
from dragstream_ros.share import PACKAGE
from dragstream_ros.transport import transport_environment


def launch_description(name: str) -> LaunchDescription:
    """Return the description of a launch of ``graph.LAUNCHES``."""
    launch = LAUNCHES[name]
    arguments = [
        DeclareLaunchArgument(argument.name, default_value='', description=argument.description)
        for argument in launch.arguments
    ]
    return LaunchDescription([
        *arguments,
        DeclareLaunchArgument('namespace', default_value='', description="the camera's namespace"),
        DeclareLaunchArgument('params_file', default_value='', description='ROS parameter file'),
        OpaqueFunction(function=_nodes, args=[launch]),
    ])


def _nodes(context: LaunchContext, launch: Launch) -> list[Action]:
    """Make the nodes, now that the arguments are known: an empty one sets no parameter."""
    said = context.launch_configurations
    return [action for node in launch.nodes for action in _node(node, launch, said)]


def _node(node: Node, launch: Launch, said: dict[str, str]) -> list[Action]:
    parameters: list[object] = [said['params_file']] if said['params_file'] else []
    if own := launch.parameters_of(node, said):
        parameters.append(own)
    make = actions.LifecycleNode if node.is_lifecycle else actions.Node
    process = make(
        package=PACKAGE,
        executable=node.executable,
        name=node.executable,
        namespace=said['namespace'],
        output='screen',
        parameters=parameters,
        additional_env=transport_environment(os.environ),
        on_exit=Shutdown(reason=f'{node.executable} has ended'),
    )
    return _brought_up(process) if node.is_lifecycle else [process]


def _brought_up(process: actions.LifecycleNode) -> list[Action]:
    """Configure on start, then activate; by events, as autostart is newer than Jazzy."""

    def change_state(transition: int) -> EmitEvent:
        matcher = matches_action(process)
        return EmitEvent(
            event=ChangeState(lifecycle_node_matcher=matcher, transition_id=transition)
        )

    activate_when_configured = OnStateTransition(
        target_lifecycle_node=process,
        start_state='configuring',
        goal_state='inactive',
        entities=[change_state(Transition.TRANSITION_ACTIVATE)],
    )
    return [
        RegisterEventHandler(activate_when_configured),
        process,
        change_state(Transition.TRANSITION_CONFIGURE),
    ]
