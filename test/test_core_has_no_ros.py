"""The core and what the worker needs must load where there is no ROS 2."""

import subprocess
import sys

import pytest

# Refuses ROS (and for the core OpenCV) as a machine without it would, then imports all modules.
IMPORT_ALL = """
import importlib, pkgutil, sys

forbidden = set(sys.argv[2].split(','))

class Refuse:
    def find_spec(self, name, path=None, target=None):
        generated = name.startswith(('dragstream_ros.msg', 'dragstream_ros.action'))
        if generated or name.split('.')[0] in forbidden:
            raise ImportError(f'{name} must not be imported here')

sys.meta_path.insert(0, Refuse())
package = importlib.import_module(sys.argv[1])
names = [sys.argv[1]]
if hasattr(package, '__path__'):
    names += [m.name for m in pkgutil.walk_packages(package.__path__, package.__name__ + '.')]
for name in names:
    importlib.import_module(name)
print(len(names))
"""
ROS = 'rclpy,builtin_interfaces,geometry_msgs,sensor_msgs,std_msgs,std_srvs,cv_bridge'


def import_all(package: str, forbidden: str) -> subprocess.CompletedProcess:
    command = [sys.executable, '-c', IMPORT_ALL, package, forbidden]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize(('package', 'forbidden'), [
    ('dragstream_ros.core', f'{ROS},cv2'),
    ('dragstream_ros.world_models', ROS),
    ('dragstream_ros.masks', ROS),
    ('dragstream_ros.planning', ROS),
    ('dragstream_ros.worker', ROS),
    ('dragstream_ros.simulation', ROS),
    ('dragstream_ros.adapters.image', ROS),
    ('dragstream_ros.adapters.letterbox', ROS),
    ('dragstream_ros.adapters.drag', ROS),
])
def test_it_loads_without_ros(package, forbidden):
    if package.endswith('simulation'):
        pytest.importorskip('mujoco')
    done = import_all(package, forbidden)
    assert done.returncode == 0, done.stderr


def test_the_refusal_works():
    done = import_all('dragstream_ros.adapters.prediction', ROS)
    assert done.returncode != 0 and 'must not be imported here' in done.stderr
