"""The flow that paths are found by, against AprilTags seen in real video at full size."""

import json

import cv2
import numpy as np
import pytest

from dragstream_ros.adapters.letterbox import Letterbox
from dragstream_ros.masks.track_points import track_through

MODEL_SIZE = (128, 128)
EVERY = 3                   # of the clips' 30 pictures a second: the model sees 10
MOST_STEPS = 20
LEAST_WAY_PX = 20.0         # of 640: what stays tells nothing


def read_pictures(path, letterbox):
    capture = cv2.VideoCapture(str(path))
    while (read := capture.read())[0]:
        yield letterbox.apply(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))


@pytest.mark.parametrize('clip', ['lamp_assembly_3x', 'cabinet_assembly_3x'])
def test_tracked_points_stay_on_their_tags(recorded_data, clip):
    tags = json.loads(recorded_data(f'tracks/{clip}.apriltags.json').read_text())
    letterbox = Letterbox((tags['width'], tags['height']), MODEL_SIZE)
    pictures = list(read_pictures(recorded_data(f'clips/{clip}.mp4'), letterbox))
    errors_px = []
    for run in tags['runs']:
        frames = range(run['start'], run['end'] + 1, EVERY)[:MOST_STEPS + 1]
        if run['disp_px'] < LEAST_WAY_PX or len(frames) < 5:
            continue
        centres = np.array([
            np.mean(tags['frames_tags'][number][str(run['tag'])], axis=0) for number in frames])
        truth = letterbox.to_target(centres)
        positions, found = track_through([pictures[number] for number in frames], truth[:1])
        errors_px += np.linalg.norm(positions[:, 0] - truth, axis=1)[1:][found[1:, 0]].tolist()
    assert len(errors_px) > 100
    assert np.median(errors_px) < 0.6 and np.percentile(errors_px, 90) < 3.0
