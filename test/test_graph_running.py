"""The description of the graph is what the nodes really do: real processes over real DDS."""

import pathlib

import pytest
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

import dragstream_ros
from dragstream_ros import graph
from dragstream_ros.runner import NodeGroup

RECORDED = pathlib.Path(dragstream_ros.__file__).parent / 'simulation' / 'recorded' / 'tabletop'
NAMESPACE = '/left'
# Every node has these; they say nothing about ours.
OF_ALL_NODES = {'/parameter_events', '/rosout'}


def full_name(node: graph.Node, name: str) -> str:
    if name.startswith('/'):
        return name
    return f'{NAMESPACE}/{node.executable}/{name[2:]}' if name[0] == '~' else f'{NAMESPACE}/{name}'


def own(names_and_types) -> dict[str, str]:
    return {
        name: types[0] for name, types in names_and_types
        if name not in OF_ALL_NODES and '/_action/' not in name and 'transition_event' not in name
    }  # fmt: skip


def described(node: graph.Node, topics, *, always: bool) -> dict[str, str]:
    return {full_name(node, t.name): t.type for t in topics if not (always and t.when)}


def quality(endpoint) -> tuple[bool, bool]:
    profile = endpoint.qos_profile
    return (profile.reliability == ReliabilityPolicy.RELIABLE,
            profile.durability == DurabilityPolicy.TRANSIENT_LOCAL)  # fmt: skip


def is_discovered(observer, node: graph.Node) -> bool:
    """Endpoints become known one by one: whether as many are as must be there at least."""
    at = (node.executable, NAMESPACE)
    if at not in observer.get_node_names_and_namespaces():
        return False
    published = own(observer.get_publisher_names_and_types_by_node(*at))
    subscribed = own(observer.get_subscriber_names_and_types_by_node(*at))
    services = dict(observer.get_service_names_and_types_by_node(*at))
    return (
        len(published) >= len(described(node, node.publishes, always=True))
        and len(subscribed) >= len(described(node, node.subscribes, always=True))
        and all(full_name(node, name) in services for name, _ in node.services)
        and all(f'{full_name(node, n)}/_action/send_goal' in services for n, _ in node.actions)
    )


def check_node(observer, node: graph.Node) -> None:
    at = (node.executable, NAMESPACE)
    for found, topics in (
        (own(observer.get_publisher_names_and_types_by_node(*at)), node.publishes),
        (own(observer.get_subscriber_names_and_types_by_node(*at)), node.subscribes),
    ):
        assert found.items() <= described(node, topics, always=False).items()
        assert found.items() >= described(node, topics, always=True).items()
    for topic in node.publishes:
        for endpoint in observer.get_publishers_info_by_topic(full_name(node, topic.name)):
            if endpoint.node_name == node.executable:
                assert quality(endpoint) == (topic.qos.reliable, topic.qos.transient_local)
    for topic in node.subscribes:
        for endpoint in observer.get_subscriptions_info_by_topic(full_name(node, topic.name)):
            if endpoint.node_name == node.executable and topic.qos.reliable is not None:
                assert quality(endpoint) == (topic.qos.reliable, topic.qos.transient_local)
    services = dict(observer.get_service_names_and_types_by_node(*at))
    for name, type_name in node.services:
        assert services[full_name(node, name)] == [type_name]
    for name, type_name in node.actions:
        assert services[f'{full_name(node, name)}/_action/send_goal'] == [f'{type_name}_SendGoal']


@pytest.mark.parametrize(('name', 'said'), [
    ('demo', {}),
    ('replay', {'bag': str(RECORDED)}),
    ('drag_console', {'port': '0'}),
    ('tools', {}),
])
def test_nodes_publish_and_subscribe_exactly_what_is_described(ros_node, spin_until, name, said):
    launch = graph.LAUNCHES[name]
    with NodeGroup(launch, said=said, namespace=NAMESPACE) as group:
        spin_until(
            ros_node,
            lambda: all(is_discovered(ros_node, node) for node in launch.nodes),
            timeout_secs=30.0,
        )
        for node in launch.nodes:
            check_node(ros_node, node)
        assert group.ended() is None
