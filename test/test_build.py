"""setup.py, CMakeLists.txt, package.xml and the Makefile must agree and leave nothing out."""

import ast
import os
import re
import runpy
import xml.etree.ElementTree as ElementTree

import pytest
from conftest import REPOSITORY

import dragstream_ros

PACKAGE = REPOSITORY / 'dragstream_ros'
OPTIONAL = {'cv_bridge', 'foxglove_msgs', 'tf2_ros'}  # used where there is one
ON_ROBOTS_ONLY = {'launch', 'launch_ros'}  # there is no wheel


def read(name: str) -> str:
    return (REPOSITORY / name).read_text()


@pytest.fixture
def setup_arguments(monkeypatch):
    """What setup.py hands to setuptools on a machine with no ROS 2 sourced."""
    setuptools = pytest.importorskip('setuptools')
    said = {}
    monkeypatch.setattr(setuptools, 'setup', lambda **arguments: said.update(arguments))
    monkeypatch.delenv('ROS_DISTRO', raising=False)
    runpy.run_path(str(REPOSITORY / 'setup.py'))
    return said


@pytest.fixture
def setup_arguments_with_ros(monkeypatch, setup_arguments):
    monkeypatch.setenv('ROS_DISTRO', 'jazzy')
    before = dict(setup_arguments)
    runpy.run_path(str(REPOSITORY / 'setup.py'))
    after = dict(setup_arguments)
    setup_arguments.update(before)
    return after


def dependencies(*tags: str) -> set[str]:
    root = ElementTree.fromstring(read('package.xml'))
    return {element.text for tag in tags for element in root.findall(tag)}


def wheels(requirements: list[str]) -> set[str]:
    """The ROS packages of a requirement list: ros-std-msgs==5.5.1 is std_msgs."""
    names = [re.match(r'ros-([\w-]+)', requirement) for requirement in requirements]
    return {name[1].replace('-', '_') for name in names if name}


def imported_ros_packages() -> set[str]:
    modules = set()
    for path in PACKAGE.rglob('*.py'):
        if path.relative_to(PACKAGE).parts[0] in ('msg', 'action'):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split('.')[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                modules.add(node.module.split('.')[0])
    known = r'.*_(msgs|srvs|interfaces|bridge|ros|ros_py)$|rclpy$|launch'
    return {name for name in modules if re.match(known, name)} - {'dragstream_ros'}


def test_the_version_is_the_same_everywhere(setup_arguments):
    in_xml = ElementTree.fromstring(read('package.xml')).findtext('version')
    assert setup_arguments['version'] == dragstream_ros.__version__ == in_xml
    assert f'## {in_xml}' in read('CHANGELOG.md')


def test_messages_depend_on_the_same_packages_for_cmake_colcon_and_pip(setup_arguments):
    cmake = read('CMakeLists.txt')
    in_cmake = set(re.search(r'DEPENDENCIES ([^)]+)\)', cmake)[1].split())
    assert dependencies('depend') == in_cmake
    assert in_cmake <= wheels(setup_arguments['install_requires'])
    assert in_cmake <= wheels(setup_arguments['setup_requires'])
    assert all(f'find_package({name} REQUIRED)' in cmake for name in in_cmake)


def test_every_ros_package_that_is_imported_is_a_dependency(setup_arguments):
    imported = imported_ros_packages() - OPTIONAL
    assert 'rclpy' in imported and 'sensor_msgs' in imported
    assert imported <= dependencies('depend', 'exec_depend')
    assert imported - ON_ROBOTS_ONLY <= wheels(setup_arguments['install_requires'])


def test_ros_wheels_are_pinned_exactly(setup_arguments):
    requirements = [*setup_arguments['install_requires'], *setup_arguments['setup_requires']]
    assert all('==' in name for name in requirements if name.startswith('ros-'))


def test_a_sourced_ros_is_taken_as_it_is(setup_arguments_with_ros):
    assert setup_arguments_with_ros['setup_requires'] == []
    names = ' '.join(setup_arguments_with_ros['install_requires'])
    assert 'ros-' not in names and 'opencv' not in names and 'numpy>=1.26' in names


def test_only_the_makefile_pins_torch(setup_arguments):
    assert 'torch>=2.6' in setup_arguments['install_requires']
    assert re.search(r'^TORCH := torch==[\d.]+$', read('Makefile'), re.M)


def test_diffusers_comes_only_with_the_models_that_need_it(setup_arguments):
    with_it = {
        extra for extra, names in setup_arguments['extras_require'].items()
        if any(name.startswith('diffusers') for name in names)
    }  # fmt: skip
    assert with_it == {'wan', 'prompt'}
    assert not any('diffusers' in name for name in setup_arguments['install_requires'])


def test_every_folder_with_modules_is_a_package():
    folders = {path.parent for path in PACKAGE.rglob('*.py')}
    assert [folder for folder in folders if not (folder / '__init__.py').exists()] == []


def package_files() -> list[str]:
    """What belongs into an installation and is no module, relative to the package."""
    paths = [path.relative_to(PACKAGE) for path in PACKAGE.rglob('*') if path.is_file()]
    return sorted(
        str(path) for path in paths
        if path.suffix not in ('.py', '.pyc', '.so') and path.parts[0] not in ('msg', 'action')
    )  # fmt: skip


def test_files_that_are_no_modules_are_in_the_wheel(setup_arguments):
    patterns = setup_arguments['package_data']['dragstream_ros']
    packed = {str(p.relative_to(PACKAGE)) for pattern in patterns for p in PACKAGE.glob(pattern)}
    assert set(package_files()) - packed == set()


def test_the_python_package_has_no_stray_large_files():
    limit = 12 * 2**20
    assert [name for name in package_files() if os.path.getsize(PACKAGE / name) > limit] == []


@pytest.mark.parametrize('path', sorted((REPOSITORY / 'msg').iterdir()), ids=lambda path: path.stem)
def test_every_message_field_is_explained(path):
    # A constant may speak for itself; a field has a comment beside it or directly above.
    lines = ['', *path.read_text().splitlines()]
    silent = [
        line for above, line in zip(lines, lines[1:], strict=False)
        if re.match(r'[\w/]+(\[\])? \w+ *$', line) and not above
    ]  # fmt: skip
    assert silent == []
