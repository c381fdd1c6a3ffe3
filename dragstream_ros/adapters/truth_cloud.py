"""Ground-truth points of the simulated camera as sensor_msgs/PointCloud2, and back.

A cloud has one row per moment and one column per point. Fields: x, y in pixels of the image whose
header it carries ((0, 0) is the centre of the top-left pixel) and z = 0, float32; offset_secs
float32, seconds after the header's stamp; thing uint16, which points belong together (the highest
is the table, which stands still); visible uint16, 1 if it can be seen at the header's stamp;
image_width and image_height uint16, pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from dragstream_ros.adapters.image import byte_array
from dragstream_ros.adapters.letterbox import Size

_FLOATS, _INTEGERS = (
    ('x', 'y', 'z', 'offset_secs'), ('thing', 'visible', 'image_width', 'image_height'))
_DTYPE = np.dtype([*((name, '<f4') for name in _FLOATS), *((name, '<u2') for name in _INTEGERS)])
_FIELDS = [
    PointField(name=name, offset=4 * index, datatype=PointField.FLOAT32, count=1)
    for index, name in enumerate(_FLOATS)]
_FIELDS += [
    PointField(name=name, offset=4 * len(_FLOATS) + 2 * index, datatype=PointField.UINT16, count=1)
    for index, name in enumerate(_INTEGERS)]


@dataclass(frozen=True, kw_only=True, eq=False)
class TruthPoints:
    """P points at N moments.

    points_px: (N, P, 2) float32; offsets_secs: (N,) float32; point_visible: (P,) bool, at the first
    moment; point_thing: (P,) int; image_size: (width, height).
    """

    points_px: np.ndarray
    offsets_secs: np.ndarray
    point_visible: np.ndarray
    point_thing: np.ndarray
    image_size: Size


def cloud_from_points(points: TruthPoints, header: Header) -> PointCloud2:
    """Convert to a cloud; header is that of the image that shows the first moment."""
    moments, count = points.points_px.shape[:2]
    rows = np.zeros((moments, count), _DTYPE)
    rows['x'], rows['y'] = points.points_px[..., 0], points.points_px[..., 1]
    rows['offset_secs'] = points.offsets_secs[:, None]
    rows['thing'], rows['visible'] = points.point_thing, points.point_visible
    rows['image_width'], rows['image_height'] = points.image_size
    return PointCloud2(
        header=header, height=moments, width=count, fields=_FIELDS, is_bigendian=False,
        point_step=_DTYPE.itemsize, row_step=_DTYPE.itemsize * count, data=byte_array(rows.ravel()),
        is_dense=True)


def points_from_cloud(cloud: PointCloud2) -> TruthPoints:
    """Convert a cloud made by ``cloud_from_points``.

    :raises ValueError: it is empty or has other fields
    """
    if [field.name for field in cloud.fields] != [*_FLOATS, *_INTEGERS]:
        raise ValueError('The cloud has other fields than ground-truth points have.')
    rows = np.frombuffer(cloud.data, _DTYPE).reshape(cloud.height, cloud.width)
    if not rows.size:
        raise ValueError('The cloud of ground-truth points is empty.')
    return TruthPoints(
        points_px=np.stack([rows['x'], rows['y']], axis=-1), offsets_secs=rows['offset_secs'][:, 0],
        point_visible=rows['visible'][0] > 0, point_thing=rows['thing'][0].astype(int),
        image_size=(int(rows['image_width'][0, 0]), int(rows['image_height'][0, 0])))
