"""Where config/ and launch/ are: beside the sources, or in an installation's share folder."""

from __future__ import annotations

import pathlib

PACKAGE = 'dragstream_ros'


def share_folder() -> pathlib.Path:
    """Return the folder that holds ``config`` and ``launch``.

    Looks upwards from this file, so that a checkout, a virtual environment, ``pip install --user``
    and a colcon workspace (linked or not) are all served, with no environment variable set.

    :raises FileNotFoundError: the installation is incomplete
    """
    for folder in pathlib.Path(__file__).absolute().parents:
        if (folder / 'package.xml').is_file() and (folder / 'config').is_dir():
            return folder
        share = folder / 'share' / PACKAGE
        if (share / 'config').is_dir():
            return share
    raise FileNotFoundError(f'{PACKAGE} has no share folder: please install the package again.')


def config_file(name: str) -> pathlib.Path:
    """Return the path of a file of ``config/``.

    :raises FileNotFoundError: there is no such file
    """
    path = share_folder() / 'config' / name
    if not path.is_file():
        raise FileNotFoundError(f'{PACKAGE} has no config file {name!r} in {path.parent}.')
    return path
