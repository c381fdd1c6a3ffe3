"""The ready files for RViz2, rqt and Foxglove name topics that are there, with their types."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator

import pytest
import yaml
from conftest import REPOSITORY

from dragstream_ros import graph
from dragstream_ros.share import config_file

IMAGES = {graph.IMAGE, graph.COMPRESSED_IMAGE}
NODES = (graph.PREDICTOR, graph.TABLETOP_CAMERA, graph.DRAG_ADAPTER)
TOPICS = {f'/{topic.name.lstrip("/")}': topic.type
          for node in NODES for topic in [*node.publishes, *node.subscribes]}
RVIZ_TYPES = {
    'rviz_default_plugins/Camera': {graph.IMAGE},
    'rviz_default_plugins/Image': {graph.IMAGE},
    'rviz_default_plugins/MarkerArray': {'visualization_msgs/msg/MarkerArray'},
    'rviz_default_plugins/PublishPoint': {'geometry_msgs/msg/PointStamped'},
}


def rviz() -> dict:
    return yaml.safe_load(config_file('drag.rviz').read_text())['Visualization Manager']


def perspective_views() -> list[dict]:
    groups = json.loads(config_file('drag.perspective').read_text())['groups']
    manager = groups['pluginmanager']
    running = ast.literal_eval(manager['keys']['running-plugins']['repr'])
    assert running == {'rqt_image_view/ImageView': [1, 2]}
    names = [f'plugin__rqt_image_view__ImageView__{number}' for number in (1, 2)]
    assert list(manager['groups']) == names
    return [{key: ast.literal_eval(value['repr']) for key, value in
             manager['groups'][name]['groups']['plugin']['keys'].items()} for name in names]


def foxglove() -> dict:
    return json.loads(config_file('drag.foxglove.json').read_text())


def panels_in(layout: dict | str) -> Iterator[str]:
    if isinstance(layout, str):
        yield layout
    else:
        yield from panels_in(layout['first'])
        yield from panels_in(layout['second'])


def names_that_look_like_topics(text: str) -> set[str]:
    """Whatever is written as an absolute name: nothing may slip past the other tests."""
    words = text.replace('"', ' ').replace("'", ' ').replace(',', ' ').split()
    return {word for word in words if word.startswith('/') and len(word) > 1}


@pytest.mark.parametrize('name', ['drag.rviz', 'drag.perspective', 'drag.foxglove.json'])
def test_every_absolute_name_in_a_file_is_of_the_graph(name):
    lines = config_file(name).read_text().splitlines()
    names = names_that_look_like_topics('\n'.join(
        line for line in lines if not line.startswith('#')))
    assert len(names) >= 3
    assert names - {'/drag_handle'} <= set(TOPICS)


def test_rviz_shows_topics_of_the_right_types_as_they_are_offered():
    checked = 0
    for display in [*rviz()['Displays'], *rviz()['Tools']]:
        if 'Topic' in display:
            assert TOPICS[display['Topic']['Value']] in RVIZ_TYPES[display['Class']]
            assert display['Topic']['Reliability Policy'] == 'Reliable'
            checked += 1
    assert checked == 4


def test_rviz_asks_the_adapter_for_its_handle():
    (markers,) = [display for display in rviz()['Displays']
                  if display['Class'] == 'rviz_default_plugins/InteractiveMarkers']
    namespace = markers['Interactive Markers Namespace']
    assert {f'{namespace}/update', f'{namespace}/feedback'} <= set(TOPICS)
    services = {f'/{name}' for name, _ in graph.DRAG_ADAPTER.services}
    assert f'{namespace}/get_interactive_markers' in services


def test_rviz_stands_in_the_frame_of_the_simulated_camera():
    node_file = config_file('drag.rviz').parents[1] / 'dragstream_ros/nodes/tabletop_camera.py'
    assert rviz()['Global Options']['Fixed Frame'] == 'camera_optical_frame'
    if node_file.exists():  # not beside an installation's share folder
        assert "'camera_optical_frame'" in node_file.read_text()


def test_the_camera_display_draws_the_other_displays_over_the_picture():
    displays = rviz()['Displays']
    (camera,) = [d for d in displays if d['Class'] == 'rviz_default_plugins/Camera']
    assert set(camera['Visibility']) - {'Value'} == {d['Name'] for d in displays if d != camera}


def test_rqt_publishes_clicks_where_the_adapter_listens():
    clicked, watched = perspective_views()
    assert clicked['publish_click_location'] and not watched['publish_click_location']
    assert TOPICS[clicked['topic']] == TOPICS[watched['topic']] == graph.IMAGE
    assert clicked['mouse_pub_topic'] == f'{clicked["topic"]}_mouse_left'
    assert TOPICS[clicked['mouse_pub_topic']] == graph.POINT
    assert clicked['rotate'] == 0  # clicks on a rotated view are none on the image


def test_the_docs_name_every_topic_and_service_of_the_adapter():
    text = (REPOSITORY / 'docs' / 'how_an_operator_drags.md').read_text()
    node = graph.DRAG_ADAPTER
    names = [topic.name for topic in [*node.subscribes, *node.publishes]]
    names += [name for name, _ in node.services]
    assert [name for name in names if f'`{name}`' not in text] == []


def test_foxglove_shows_images_with_their_calibration_and_annotations():
    panels = foxglove()['configById']
    assert set(panels_in(foxglove()['layout'])) == set(panels)
    for name, panel in panels.items():
        if not name.startswith('Image!'):
            continue
        mode = panel['imageMode']
        assert TOPICS[mode['imageTopic']] in IMAGES
        assert TOPICS[mode.get('calibrationTopic', '/camera_info')] == graph.CAMERA_INFO
        for topic in mode.get('annotations', {}):
            assert TOPICS[topic] in ('visualization_msgs/msg/ImageMarker',
                                     'foxglove_msgs/msg/ImageAnnotations')
        for topic in panel.get('topics', {}):
            assert TOPICS[topic] == 'visualization_msgs/msg/MarkerArray'
    assert TOPICS[panels['DiagnosticSummary!all']['topicToRender']] == graph.DIAGNOSTICS
