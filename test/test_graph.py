import importlib
import re

import pytest
from conftest import REPOSITORY

from dragstream_ros import graph


def by_name(attribute: str):
    return [pytest.param(launch, id=launch.name) for launch in getattr(graph, attribute).values()]


def message_type(name: str) -> type:
    package, kind, message = name.split('/')
    return getattr(importlib.import_module(f'{package}.{kind}'), message)


@pytest.mark.parametrize('node', graph.NODES, ids=lambda node: node.executable)
def test_all_types_exist(node):
    for topic in [*node.subscribes, *node.publishes]:
        if topic.when not in ('foxglove_msgs', 'tf2_ros'):  # these have no wheels
            assert message_type(topic.type)
    for _, type_name in [*node.services, *node.actions]:
        assert message_type(type_name)


@pytest.mark.parametrize('launch', by_name('LAUNCHES'))
def test_those_who_share_a_topic_can_talk(launch):
    published = {t.name: t for node in launch.nodes for t in node.publishes}
    for subscribed in [t for node in launch.nodes for t in node.subscribes]:
        if (topic := published.get(subscribed.name)) is None:
            continue
        assert topic.type == subscribed.type
        assert topic.qos.reliable or not subscribed.qos.reliable, subscribed.name
        assert topic.qos.transient_local or not subscribed.qos.transient_local, subscribed.name


@pytest.mark.parametrize('launch', by_name('LAUNCHES'))
def test_arguments_are_for_nodes_of_the_launch(launch):
    assert {arg.node for arg in launch.arguments} <= {node.executable for node in launch.nodes}


def test_cmake_installs_the_executables_of_the_graph():
    cmake = (REPOSITORY / 'CMakeLists.txt').read_text()
    line = r'^install_executable\((\w+) \$\{PROJECT_NAME\}\.(\S+)\)'
    installed = dict(re.findall(line, cmake, re.M))
    assert installed.pop('dragstream') == 'cli'
    assert installed == {node.executable: f'nodes.{node.executable}' for node in graph.NODES}


@pytest.mark.parametrize('node', graph.NODES, ids=lambda node: node.executable)
def test_every_executable_has_a_main(node):
    assert callable(importlib.import_module(node.module).main)


def test_there_is_a_launch_file_for_every_launch_and_no_other():
    files = {path.name.removesuffix('.launch.py') for path in (REPOSITORY / 'launch').iterdir()
             if path.is_file()}  # fmt: skip
    assert files == set(graph.LAUNCHES)


def launch_file(name: str) -> str:
    return (REPOSITORY / 'launch' / f'{name}.launch.py').read_text()


@pytest.mark.parametrize('name', graph.LAUNCHES)
def test_launch_files_compile_and_name_their_launch(name):
    assert compile(launch_file(name), name, 'exec')
    assert f"return launch_description('{name}')" in launch_file(name)


@pytest.mark.parametrize('name', graph.LAUNCHES)
def test_launch_files_make_all_nodes_of_their_launch(name):
    pytest.importorskip('launch_ros', reason='no launch_ros on this machine')
    from launch import LaunchContext
    from launch.actions import OpaqueFunction

    names = {}
    exec(launch_file(name), names)
    context = LaunchContext()
    made = []
    for entity in names['generate_launch_description']().entities:
        actions = entity.visit(context) or []
        if isinstance(entity, OpaqueFunction):
            made = [a.node_executable for a in actions if hasattr(a, 'node_executable')]
    assert made == [node.executable for node in graph.LAUNCHES[name].nodes]


def test_only_what_was_said_becomes_a_parameter():
    launch = graph.LAUNCHES['predictor']
    said = {'control': 'guidance', 'world_model': ''}
    assert launch.parameters_of(graph.PREDICTOR, said) == {'control': 'guidance'}
    assert launch.parameters_of(graph.TABLETOP_CAMERA, said) == {}
