import numpy as np
from sensor_msgs.msg import CameraInfo, RegionOfInterest
from std_msgs.msg import Header

from dragstream_ros.adapters.camera_info import scaled_camera_info
from dragstream_ros.adapters.letterbox import Letterbox

POINT = np.array([0.11, -0.07, 0.9])  # metres, in the optical frame


def camera_info(**fields) -> CameraInfo:
    return CameraInfo(
        header=Header(frame_id='camera'), width=640, height=480, distortion_model='plumb_bob',
        d=[0.1, 0.0, 0.0, 0.0, 0.0],
        k=[600.0, 0.0, 322.0, 0.0, 610.0, 239.0, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[580.0, 0.0, 320.0, -58.0, 0.0, 590.0, 240.0, 0.0, 0.0, 0.0, 1.0, 0.0], **fields,
    )


def project(matrix, point) -> np.ndarray:
    projected = np.reshape(matrix, (3, -1)) @ point
    return projected[:2] / projected[2]


def test_a_point_in_the_world_projects_to_where_its_pixel_was_moved():
    info, letterbox = camera_info(), Letterbox((640, 480), (128, 128))
    scaled = scaled_camera_info(info, image_size=(640, 480), content_size=letterbox.content_size)

    def moved(pixel):
        return letterbox.target_to_content(letterbox.to_target(pixel))

    homogeneous = np.append(POINT, 1.0)
    assert np.allclose(project(scaled.k, POINT), moved(project(info.k, POINT)))
    assert np.allclose(project(scaled.p, homogeneous), moved(project(info.p, homogeneous)))
    assert (scaled.width, scaled.height, scaled.header.frame_id) == (128, 96, 'camera')
    assert scaled.distortion_model == 'plumb_bob' and list(scaled.d) == list(info.d)


def test_binning_and_region_of_interest_are_folded_in():
    region = RegionOfInterest(x_offset=100, y_offset=40, width=400, height=300)
    info = camera_info(binning_x=2, binning_y=2, roi=region)
    scaled = scaled_camera_info(info, image_size=(200, 150), content_size=(100, 75))
    on_sensor = project(info.k, POINT)
    in_image = (on_sensor - (100, 40) + 0.5) / 2 - 0.5
    assert np.allclose(project(scaled.k, POINT), (in_image + 0.5) / 2 - 0.5)
    assert scaled.binning_x == 0 and scaled.roi == RegionOfInterest()


def test_a_calibration_for_another_image_size_is_not_passed_on():
    scaled = scaled_camera_info(camera_info(), image_size=(1280, 720), content_size=(128, 72))
    assert not scaled.k.any() and (scaled.width, scaled.height) == (128, 72)


def test_an_uncalibrated_camera_stays_uncalibrated():
    info = CameraInfo(width=640, height=480)
    scaled = scaled_camera_info(info, image_size=(640, 480), content_size=(128, 96))
    assert not scaled.k.any() and not scaled.p.any()
