"""Files that are whole or not there, whatever ends the process that writes them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a path to write to, which becomes ``path`` at the end.

    A kill or a full disk leaves no half file under the name, but what was there before.

    :raises OSError: it cannot be written; the text is a sentence
    """
    partial = path.with_name(f'{path.stem}.part{os.getpid()}{path.suffix}')
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        raise not_written(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


def remove_partial_files(folder: Path) -> None:
    """Remove what killed processes were writing."""
    for path in list(folder.rglob('*.part*')):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def not_written(path: Path, error: Exception) -> OSError:
    """Say what to do about a file that could not be written."""
    return OSError(
        f'{path} cannot be written ({getattr(error, "strerror", None) or error}). Make room there '
        'and start the same command again: it goes on where it was.')
