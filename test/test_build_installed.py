"""An installation far from its checkout has all its files. CI runs this where there is one."""

import json
import os
import pathlib
import subprocess
import sys

import pytest
from test_build import package_files

import dragstream_ros
from dragstream_ros.share import config_file, share_folder

INSTALLED = pathlib.Path(dragstream_ros.__file__).parent
EXECUTABLES = INSTALLED.parents[2] / 'dragstream_ros'  # from lib/python3.x/site-packages
pytestmark = pytest.mark.skipif(
    (INSTALLED.parent / 'setup.py').exists(), reason='dragstream_ros is the checkout itself'
)


@pytest.mark.parametrize('name', package_files())
def test_it_has_the_same_data_file(name):
    checkout = pathlib.Path(__file__).parents[1] / 'dragstream_ros'
    assert (INSTALLED / name).read_bytes() == (checkout / name).read_bytes()


def test_its_share_folder_has_configuration_and_launch_files():
    assert share_folder() != INSTALLED.parent
    assert 'shared_memory_16_mb' in config_file('fastdds.xml').read_text()
    assert all(config_file(f'drag.{tool}') for tool in ('rviz', 'perspective', 'foxglove.json'))
    assert (share_folder() / 'launch' / 'predictor.launch.py').is_file()
    assert (share_folder() / 'package.xml').is_file()


def test_its_command_and_messages_work(tmp_path):
    program = (
        'import json, dragstream_ros.msg as m, dragstream_ros.action as a; '
        'print(json.dumps([m.Drag().drag_id, a.Predict.Goal().horizon_secs]))'
    )
    done = subprocess.run(
        [sys.executable, '-c', program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == ['', 0.0]
    command = EXECUTABLES / 'dragstream'
    done = subprocess.run([command, '--help'], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and 'demo' in done.stdout


def test_its_nodes_are_executable_files():
    names = {path.name for path in EXECUTABLES.iterdir() if os.access(path, os.X_OK)}
    assert {'predictor', 'tabletop_camera', 'drag_adapter', 'drag_console'} <= names
