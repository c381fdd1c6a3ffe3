"""The one description of the ROS graph: what can be started, and what talks to what.

Launch files and ``dragstream run`` are made from it, and a test compares it with the running nodes.
Names are relative to the camera's namespace, except those that start with a slash or ``~``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import yaml


@dataclass(frozen=True)
class Qos:
    """Quality of service; ``reliable`` None: as the images need it."""

    reliable: bool | None
    depth: int
    transient_local: bool = False


SENSOR_DATA = Qos(reliable=False, depth=5)
AS_OFFERED = Qos(reliable=None, depth=1)  # the newest frame is the only one of interest
COMMANDS = Qos(reliable=True, depth=10)
EVENTS = Qos(reliable=True, depth=100)  # of a mouse
NEWEST = Qos(reliable=True, depth=1)
EVERY = Qos(reliable=True, depth=10)  # no chunk is lost on a planner that is busy for a moment
STATE = Qos(reliable=True, depth=10, transient_local=True)  # late comers learn what is the matter


@dataclass(frozen=True)
class Topic:
    """A topic as one node sees it; ``when``: what decides if it is there, empty: it always is."""

    name: str
    type: str
    qos: Qos
    when: str = ''


@dataclass(frozen=True)
class Node:
    """An executable of this package; the node is named after it."""

    executable: str
    subscribes: tuple[Topic, ...] = ()
    publishes: tuple[Topic, ...] = ()
    services: tuple[tuple[str, str], ...] = ()
    actions: tuple[tuple[str, str], ...] = ()
    is_lifecycle: bool = False

    @property
    def module(self) -> str:
        return f'dragstream_ros.nodes.{self.executable}'


@dataclass(frozen=True)
class Argument:
    """What a user may say when starting a launch: ``name:=value`` sets a parameter of a node.

    Not said: the node's own default holds.
    """

    name: str
    node: str
    parameter: str
    description: str


@dataclass(frozen=True)
class Launch:
    """Nodes that are started together; when one ends, all end."""

    name: str
    description: str
    nodes: tuple[Node, ...]
    arguments: tuple[Argument, ...] = ()

    def parameters_of(self, node: Node, said: Mapping[str, str]) -> dict[str, object]:
        """Return the parameters of a node that the user has said something about.

        :param said: argument names to values, in YAML; an empty one counts as not said
        """
        return {
            argument.parameter: yaml.safe_load(said[argument.name])
            for argument in self.arguments
            if argument.node == node.executable and said.get(argument.name)
        }


IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED_IMAGE = 'sensor_msgs/msg/CompressedImage'
CAMERA_INFO = 'sensor_msgs/msg/CameraInfo'
POINT_CLOUD = 'sensor_msgs/msg/PointCloud2'
POINT = 'geometry_msgs/msg/Point'
DIAGNOSTICS = 'diagnostic_msgs/msg/DiagnosticArray'
DRAG = 'dragstream_ros/msg/Drag'

PREDICTOR = Node(
    'predictor',
    is_lifecycle=True,
    subscribes=(
        Topic('image', IMAGE, AS_OFFERED, when='image_transport'),
        Topic('image/compressed', COMPRESSED_IMAGE, AS_OFFERED, when='image_transport'),
        Topic('camera_info', CAMERA_INFO, SENSOR_DATA),
        Topic('drag', DRAG, COMMANDS),
    ),
    publishes=(
        Topic('prediction/image', IMAGE, NEWEST),
        Topic('prediction/image/compressed', COMPRESSED_IMAGE, NEWEST),
        Topic('prediction/camera_info', CAMERA_INFO, NEWEST),
        Topic('prediction/clip', 'dragstream_ros/msg/PredictedClip', EVERY),
        Topic('prediction/info', 'dragstream_ros/msg/PredictionInfo', STATE),
        Topic('prediction/annotations', 'visualization_msgs/msg/ImageMarker', NEWEST),
        Topic('prediction/annotations/foxglove', 'foxglove_msgs/msg/ImageAnnotations', NEWEST,
              when='foxglove_msgs'),
        Topic('prediction/markers', 'visualization_msgs/msg/MarkerArray', NEWEST),
        Topic('preview/image', IMAGE, NEWEST),
        Topic('/diagnostics', DIAGNOSTICS, NEWEST),
    ),
    services=(('~/reset', 'std_srvs/srv/Trigger'),),
    actions=(('predict', 'dragstream_ros/action/Predict'),),
)
TABLETOP_CAMERA = Node(
    'tabletop_camera',
    publishes=(
        Topic('image', IMAGE, NEWEST),
        Topic('image/compressed', COMPRESSED_IMAGE, NEWEST),
        Topic('camera_info', CAMERA_INFO, NEWEST),
        Topic('truth/points', POINT_CLOUD, NEWEST),
        Topic('truth/mask', IMAGE, NEWEST),
        Topic('truth/plan', POINT_CLOUD, NEWEST),
    ),
)
SCRIPTED_OPERATOR = Node(
    'scripted_operator',
    subscribes=(Topic('truth/plan', POINT_CLOUD, NEWEST),),
    publishes=(Topic('drag', DRAG, COMMANDS),),
)
BAG_REPLAY = Node(
    'bag_replay',
    publishes=(
        Topic('image', IMAGE, NEWEST, when='bag'),
        Topic('image/compressed', COMPRESSED_IMAGE, NEWEST, when='bag'),
        Topic('camera_info', CAMERA_INFO, NEWEST),
        Topic('/clock', 'rosgraph_msgs/msg/Clock', NEWEST, when='publish_clock'),
    ),
)
DRAG_ADAPTER = Node(
    'drag_adapter',
    subscribes=(
        Topic('image', IMAGE, AS_OFFERED, when='image_transport'),
        Topic('image/compressed', COMPRESSED_IMAGE, AS_OFFERED, when='image_transport'),
        Topic('image_mouse_left', POINT, EVENTS, when='two_clicks'),
        Topic('image/compressed_mouse_left', POINT, EVENTS, when='two_clicks'),
        Topic('camera_info', CAMERA_INFO, SENSOR_DATA),
        Topic('drag_handle/feedback', 'visualization_msgs/msg/InteractiveMarkerFeedback', EVENTS,
              when='interactive_marker'),
        Topic('/clicked_point', 'geometry_msgs/msg/PointStamped', EVENTS, when='clicked_point'),
        Topic('drag_polygon', 'geometry_msgs/msg/PolygonStamped', EVENTS, when='polygon'),
        Topic('/tf', 'tf2_msgs/msg/TFMessage', EVERY, when='tf2_ros'),
        Topic('/tf_static', 'tf2_msgs/msg/TFMessage', STATE, when='tf2_ros'),
    ),
    publishes=(
        Topic('drag', DRAG, COMMANDS),
        Topic('drag_handle/update', 'visualization_msgs/msg/InteractiveMarkerUpdate', EVERY,
              when='interactive_marker'),
        Topic('/diagnostics', DIAGNOSTICS, NEWEST),
    ),
    services=(
        ('drag_handle/get_interactive_markers', 'visualization_msgs/srv/GetInteractiveMarkers'),
    ),
)
DRAG_CONSOLE = Node(
    'drag_console',
    subscribes=(
        Topic('image', IMAGE, AS_OFFERED, when='page in view'),
        Topic('image/compressed', COMPRESSED_IMAGE, AS_OFFERED, when='page in view'),
        Topic('prediction/clip', 'dragstream_ros/msg/PredictedClip', EVERY, when='page in view'),
        Topic('prediction/info', 'dragstream_ros/msg/PredictionInfo', STATE),
    ),
    publishes=(Topic('drag', DRAG, COMMANDS),),
)
NODES = (PREDICTOR, TABLETOP_CAMERA, SCRIPTED_OPERATOR, BAG_REPLAY, DRAG_ADAPTER, DRAG_CONSOLE)

_PREDICTOR_ARGUMENTS = (
    Argument('world_model', 'predictor', 'world_model', 'which world model predicts'),
    Argument('weights_folder', 'predictor', 'weights_folder', 'weights of your own'),
    Argument('control', 'predictor', 'control', 'how a drag acts: conditioned or guidance'),
    Argument('image_transport', 'predictor', 'image_transport', 'raw or compressed camera images'),
)
_CONSOLE_ARGUMENTS = (
    Argument('address', 'drag_console', 'address', 'where to serve; others need a token'),
    Argument('port', 'drag_console', 'port', 'of the page'),
    Argument('token_file', 'drag_console', 'token_file', 'file with the token that pages show'),
)
LAUNCHES = {
    launch.name: launch
    for launch in (
        Launch(
            'predictor',
            'the predictor alone, for a camera that is already running',
            (PREDICTOR,),
            _PREDICTOR_ARGUMENTS,
        ),
        Launch(
            'demo',
            'a simulated tabletop camera, a scripted operator who drags, and the predictor',
            (PREDICTOR, TABLETOP_CAMERA, SCRIPTED_OPERATOR),
            _PREDICTOR_ARGUMENTS,
        ),
        Launch(
            'console',
            'a simulated tabletop camera, the predictor, and a web page to drag on',
            (TABLETOP_CAMERA, PREDICTOR, DRAG_CONSOLE),
            (
                *_CONSOLE_ARGUMENTS,
                Argument('seed', 'tabletop_camera', 'seed', 'which simulated tabletop'),
                *_PREDICTOR_ARGUMENTS[:3],
            ),
        ),
        Launch(
            'drag_console',
            'the web page alone, for a camera and a predictor that are already running',
            (DRAG_CONSOLE,),
            (
                *_CONSOLE_ARGUMENTS,
                Argument(
                    'image_transport', 'drag_console', 'image_transport',
                    'raw or compressed camera images'),
            ),
        ),
        Launch(
            'tools',
            'the predictor, and what turns clicks in rqt_image_view and RViz2 into drags',
            (PREDICTOR, DRAG_ADAPTER),
            (
                *_PREDICTOR_ARGUMENTS,
                Argument('image_transport', 'drag_adapter', 'image_transport', 'the same for both'),
                Argument(
                    'clicked_point', 'drag_adapter', 'clicked_point',
                    "RViz2's Publish Point: ignored, drag or handle"),
                Argument(
                    'handle_depth_m', 'drag_adapter', 'handle_depth_m',
                    "distance of RViz2's handle from the camera"),
            ),
        ),
        Launch(
            'replay',
            'the predictor on the images of a recorded bag',
            (PREDICTOR, BAG_REPLAY),
            (
                Argument('bag', 'bag_replay', 'bag', 'folder or file of the bag, MCAP or sqlite3'),
                Argument('image_topic', 'bag_replay', 'image_topic', 'which images of the bag'),
                Argument('rate', 'bag_replay', 'rate', 'speed; 1.0: as recorded'),
                Argument('loop', 'bag_replay', 'loop', 'start again at the end'),
                Argument('publish_clock', 'bag_replay', 'publish_clock',
                         'publish the recorded time on /clock'),
                *_PREDICTOR_ARGUMENTS,
            ),
        ),
    )
}
